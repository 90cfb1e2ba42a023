"""One server with a model of every network: what each can say of itself."""

import shutil

import numpy as np
import pytest
from glasstape import Client, Method, PreconditionError
from glasstape_server.market import sample
from glasstape_server.market.files import day_start
from glasstape_server.models.networks.architectures import ARCHITECTURES, ENSEMBLE
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.train import TrainingPlan, make_ensemble, save, train
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
SERVED = {
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
    plans = [TrainingPlan(name=name, version="1", architecture=name, fit=fit) for name in ARCHITECTURES]
    trained = {plan.name: train(data, plan) for plan in plans}
    members = [trained["linear"], trained["conv1d"]]
    ensemble = make_ensemble(
        members, TrainingPlan(name=ENSEMBLE, version="1", architecture=ENSEMBLE, fit=fit)
    )
    for network in (*trained.values(), ensemble):
        save(data, network, folder)
    shutil.copytree(BUNDLED_MODELS / "sample-conv1d", folder / "sample-conv1d")
    data = tmp_path_factory.mktemp("data")
    with (
        ServerProcess(data, "--models-dir", str(folder), "--model", "sample-conv1d") as server,
        Client(server.address) as opened,
    ):
        yield opened


@pytest.mark.parametrize("name", sorted([*ARCHITECTURES, ENSEMBLE]))
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
    for method in set(CAM + ATTENTION) - set(model.methods):
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
