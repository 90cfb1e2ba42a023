"""One server with a model of every network: what each can say of itself."""

import shutil

import numpy as np
import pytest
from glasstape import Client, InvalidRequestError, Method, PreconditionError, Quantity, Score
from glasstape_server.market import sample
from glasstape_server.market.files import day_start
from glasstape_server.models.networks.architectures import BUILDABLE, ENSEMBLE
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.ensembles import make_ensemble
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit
from running import ServerProcess

WINDOWS = np.random.default_rng(0).normal(size=(3, 6, 8)).astype(np.float32)
EVERY = [
    Method.GRADIENT, Method.GRADIENT_X_INPUT, Method.SMOOTHGRAD, Method.INTEGRATED_GRADIENTS,
    Method.EXPECTED_GRADIENTS, Method.OCCLUSION, Method.SHAPLEY_BARS, Method.SHAPLEY_FEATURES,
]  # fmt: skip
SCALED = [Method.SCALED_GRADIENT, Method.SCALED_PATH_GRADIENT]
CAM = [Method.GRAD_CAM, Method.GRAD_CAM_X_GRADIENT]
ATTENTION = [Method.ATTENTION, Method.ATTENTION_X_GRADIENT]
ANY = [Method.OCCLUSION, Method.SHAPLEY_BARS, Method.SHAPLEY_FEATURES]
TREES = [*ANY, Method.TREE_SHAP, Method.COUNTERFACTUAL]
SERVED = {
    "trees": TREES,
    "lightgbm": TREES,
    "forest": TREES,
    "mixed": [*ANY, Method.COUNTERFACTUAL],
    "linear": [*EVERY, *SCALED, Method.COUNTERFACTUAL],
    "conv1d": [*EVERY, *CAM, *SCALED, Method.COUNTERFACTUAL],
    "ensemble": [*EVERY, *SCALED, Method.COUNTERFACTUAL],
    "conv2d": [*EVERY, *CAM, *SCALED, Method.COUNTERFACTUAL],
    "xcm": [*EVERY, *CAM, *SCALED, Method.COUNTERFACTUAL],
    "transformer": [*EVERY, *ATTENTION, *SCALED, Method.COUNTERFACTUAL],
    "axial": [*EVERY, *ATTENTION, *SCALED, Method.COUNTERFACTUAL],
}
NATIVE = {
    ("conv1d", Method.GRAD_CAM): (6, 1),
    ("conv2d", Method.GRAD_CAM): (3, 4),
    ("xcm", Method.GRAD_CAM): (6, 8),
    ("transformer", Method.ATTENTION): (6, 1),
    ("axial", Method.ATTENTION): (6, 8),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    setting = TrainingSettings(
        interval="1d",
        train_until=day_start("2001-01-02", "America/New_York"),
        validate_until=day_start("2001-07-02", "America/New_York"),
        time_zone="America/New_York",
    )
    data, fit = TrainingSplit(sample.read(), setting), FitOptions(epochs=1)
    few = BoostingOptions(rounds=15)
    plans = [
        TrainingPlan(name=name, version="1", architecture=name, fit=fit, boosting=few) for name in BUILDABLE
    ]
    trained = {plan.name: train(data, plan) for plan in plans}
    members = {
        ENSEMBLE: ("linear", "conv1d"),
        "forest": ("trees", "lightgbm"),
        "mixed": ("conv1d", "lightgbm"),
    }
    ensembles = [
        make_ensemble(
            [trained[member] for member in names],
            TrainingPlan(name=name, version="1", architecture=ENSEMBLE, fit=fit),
        )
        for name, names in members.items()
    ]
    for network in (*trained.values(), *ensembles):
        save(data, network, folder)
    shutil.copytree(BUNDLED_MODELS / "sample-conv1d", folder / "sample-conv1d")
    data = tmp_path_factory.mktemp("data")
    with (
        ServerProcess(data, "--models-dir", str(folder), "--model", "sample-conv1d") as server,
        Client(server.address) as opened,
    ):
        yield opened


@pytest.mark.parametrize("name", sorted(SERVED))
def test_a_model_lists_what_it_serves_serves_it_and_refuses_the_rest(client, name):
    model = client.model(name)
    assert list(model.methods) == SERVED[name]
    assert {check.name for check in model.checks} == {"skill", "parameter_randomization", "completeness"}
    predicted = client.predict(windows=WINDOWS, model=name)
    for method in model.methods:
        for made, expected in zip(
            client.explain(windows=WINDOWS, model=name, method=method), predicted, strict=True
        ):
            assert made.prediction.unwrap().up == pytest.approx(expected.unwrap().up, abs=1e-5)
            assert made.heatmap.values.shape == (6, 8)
            if (name, method) in NATIVE:
                assert made.heatmap.native_shape == NATIVE[name, method]
                assert made.heatmap.native.shape == NATIVE[name, method]
    for method in {*EVERY, *SCALED, *CAM, *ATTENTION, Method.TREE_SHAP} - set(model.methods):
        with pytest.raises(PreconditionError, match="METHOD_OCCLUSION") as caught:
            client.explain(windows=WINDOWS, model=name, method=method)
        assert method.name in str(caught.value)


def test_the_bundled_model_publishes_and_a_feed_of_maps_it_cannot_make_is_refused(client):
    assert client.model("sample-conv1d").architecture == "conv1d"
    with (
        pytest.raises(PreconditionError, match="METHOD_ATTENTION"),
        client.signals(heatmap_method="attention") as stream,
    ):
        next(iter(stream))


DEFAULTS = [("conv1d", "SCALED_GRADIENT", "SCALED_PATH_GRADIENT"), ("lightgbm", "TREE_SHAP", "TREE_SHAP"),
            ("forest", "TREE_SHAP", "TREE_SHAP"), ("mixed", "OCCLUSION", "OCCLUSION")]  # fmt: skip


@pytest.mark.parametrize(("name", "fast", "full"), DEFAULTS)
def test_a_request_without_a_method_gets_one_that_the_model_serves(client, name, fast, full):
    for quality, expected in (("fast", fast), ("full", full)):
        made = client.explain(windows=WINDOWS, model=name, quality=quality)
        assert [explanation.method for explanation in made] == [Method[expected]] * 3
        assert all(explanation.score_kind is Score.MARGIN for explanation in made)


def test_default_maps_of_trees_are_complete_and_those_of_log_probabilities_are_occlusions(client):
    made = client.explain(windows=WINDOWS, model="lightgbm", score="up_minus_down", quality="full")
    for explanation in made:
        assert explanation.heatmap.quantity is Quantity.CONTRIBUTION
        total = explanation.score - explanation.baseline_score
        assert explanation.heatmap.values.sum() == pytest.approx(total, abs=1e-5)
    of_probability = client.explain(windows=WINDOWS, model="lightgbm", score="log_probability")
    assert of_probability[0].method is Method.OCCLUSION
    of_baseline = client.explain(windows=WINDOWS, model="lightgbm", baseline="zero")
    assert of_baseline[0].method is Method.OCCLUSION


def test_tree_shap_refuses_what_it_cannot_explain(client):
    for options, named in (
        ({"score": "log_probability"}, "score: must be linear in the logits"),
        ({"baseline": "zero"}, "baseline: must be unset with METHOD_TREE_SHAP"),
        ({"samples": 3}, "samples: must be unset with METHOD_TREE_SHAP"),
    ):
        with pytest.raises(InvalidRequestError, match=named):
            client.explain(windows=WINDOWS, model="lightgbm", method="tree_shap", **options)
    with pytest.raises(InvalidRequestError, match="samples: must be unset with METHOD_TREE_SHAP"):
        client.explain(windows=WINDOWS, model="lightgbm", quality="full", samples=3)
