"""A server whose active model is trees, on each wire: it predicts, signals and explains as with a network."""

import json

import numpy as np
import pytest
from glasstape import Client, HeatmapBatch, Method, PreconditionError, Quantity, WindowFilter
from glasstape.cli import main
from markets import open_market
from running import ServerProcess

WINDOWS = np.random.default_rng(0).normal(size=(40, 6, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with trees, a network, and their ensemble."""
    models = tmp_path_factory.mktemp("models")
    options = ["--name", "m", "--arch", "lightgbm,linear", "--epochs", "1", "--rounds", "40", "--ensemble"]
    assert main(["train", "--out", str(models), *options]) == 0
    return models


@pytest.fixture(scope="module", params=["native", "grpcio"])
def market(request, folder, tmp_path_factory):
    if request.param == "native":
        pytest.importorskip("pygrpc_native")
    flags = ("--wire", request.param, "--models-dir", str(folder), "--model", "m-lightgbm")
    with ServerProcess(tmp_path_factory.mktemp("data"), *flags) as server, Client(server.address) as client:
        opened = open_market(server, client)
        for _ in range(3):
            opened.close_bar()
        yield opened


@pytest.fixture
def client(market):
    return market.client


def test_ready_windows_without_a_method_get_complete_contributions(client):
    made = client.explain(windows=WINDOWS)
    predicted = client.predict(windows=WINDOWS)
    for explanation, prediction in zip(made, predicted, strict=True):
        assert explanation.method is Method.TREE_SHAP
        assert explanation.heatmap.quantity is Quantity.CONTRIBUTION
        assert explanation.confidence.up == prediction.unwrap().up
        difference = explanation.score - explanation.baseline_score
        assert explanation.heatmap.values.sum() == pytest.approx(difference, abs=1e-5)
    one = client.explain(windows=WINDOWS[7], quality="none")[0]
    np.testing.assert_array_equal(one.heatmap.values, made[7].heatmap.values)


@pytest.mark.parametrize(
    "method", ["scaled_gradient", "gradient", "gradient_x_input", "scaled_path_gradient", "smoothgrad"]
)
def test_methods_of_gradients_are_refused_with_the_list_of_what_is_served(client, method):
    for model, listed in (("m-lightgbm", "METHOD_TREE_SHAP"), ("m-ensemble", "METHOD_OCCLUSION")):
        for quality in ("none", "fast", "full"):
            with pytest.raises(
                PreconditionError, match=f"cannot serve METHOD_{method.upper()}; it serves"
            ) as caught:
                client.explain(windows=WINDOWS, model=model, method=method, quality=quality)
            assert caught.value.reason == "METHOD_NOT_SERVED"
            assert listed in caught.value.metadata["methods"].split(", ")


def test_symbols_signals_and_bars_are_explained_and_edited(client, market):
    for source in ({"symbols": ["AAA", "BBB"]}, {"signals": [1, 2]}):
        for quality in ("fast", "full"):
            for explanation in client.explain(**source, quality=quality):
                assert explanation.unwrap().method is Method.TREE_SHAP
    flipped = client.explain(symbols=["AAA", "BBB", "005930"], method="counterfactual")
    assert all(not each.unwrap().counterfactual.hypothetical for each in flipped)
    of_features = client.explain(windows=WINDOWS[:5], method="counterfactual")
    found = [each.counterfactual for each in of_features if each.counterfactual.found]
    assert found
    assert all(each.hypothetical for each in found)


def test_signals_come_with_maps_of_trees_and_not_of_gradients(client, market):
    with client.signals(heatmap_method="tree_shap") as stream:
        maps = next(message for message in stream.messages() if isinstance(message, HeatmapBatch))
    for sequence, explanation in maps.explanations.items():
        again = client.explain(signals=[sequence], method="tree_shap")[0]
        np.testing.assert_allclose(explanation.heatmap.values, again.heatmap.values, atol=1e-6)
    with (
        pytest.raises(PreconditionError, match="METHOD_TREE_SHAP"),
        client.signals(heatmap_method="gradient") as stream,
    ):
        next(iter(stream))


def test_importance_is_that_of_contributions(client):
    importance = client.importance(WindowFilter(days=10_000))
    assert importance.method is Method.TREE_SHAP
    with pytest.raises(PreconditionError, match="METHOD_TREE_SHAP"):
        client.importance(WindowFilter(days=10_000), method="scaled_path_gradient")


def test_the_command_explains_by_the_default_method(market, capsys):
    for source in (["AAA"], ["--signal", "1"]):
        assert main(["explain", "--server", market.address, *source, "--json"]) == 0
        maps = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {each["method"] for each in maps} == {"TREE_SHAP"}
    assert main(["explain", "--server", market.address, "AAA"]) == 0
    shown = capsys.readouterr()
    assert "cannot serve METHOD_SCALED_PATH_GRADIENT" in shown.out + shown.err


def test_watch_draws_maps_of_the_method_that_is_served(market, capsys):
    assert main(["watch", "--server", market.address, "--view", "table", "--for", "2s"]) == 0
    assert "cannot serve" not in capsys.readouterr().err
