"""Gradient boosting by both libraries, from windows to artifact."""

import hashlib
import json
import shutil
import sys

import lightgbm
import numpy as np
import pytest
import torch
from glasstape.cli import main
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, WEIGHTS, ArtifactError
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.training.boosting import BoostingOptions, boost
from glasstape_server.training.examples import TensorExamples
from glasstape_server.training.training_run import TrainingRun
from safetensors.torch import load_file, save_file

LIBRARIES = ("trees", "lightgbm")
OPTIONS = BoostingOptions(rounds=60, patience=5, learning_rate=0.3, leaf_windows=20)


def examples(count, seed, noise=0.5):
    random = np.random.default_rng(seed)
    windows = random.normal(size=(count, 6, 8)).astype(np.float32)
    score = windows[:, 5, 0] + windows[:, 4, 1] * windows[:, 5, 2] + noise * random.normal(size=count)
    return TensorExamples(torch.from_numpy(windows), torch.from_numpy(np.digitize(score, [-0.6, 0.6])))


def loss(trees, data):
    windows, labels = data.take(torch.arange(len(data)))
    return float(torch.nn.functional.cross_entropy(trees(windows), labels))


@pytest.fixture(scope="module", params=LIBRARIES)
def fitted(request):
    rounds = []
    data = examples(3000, 0), examples(1000, 1)
    trees = boost(request.param, *data, OPTIONS, lambda *report: rounds.append(report))
    return request.param, data, trees, rounds


def test_boosting_learns_and_stops_at_the_best_validation_loss(fitted):
    library, data, trees, rounds = fitted
    assert loss(trees, data[1]) < 0.95 < np.log(3)
    kept = trees.config.rounds
    assert 1 <= kept < OPTIONS.rounds
    if library == "lightgbm":
        losses = [validation for _, _, validation in rounds]
        assert kept == 1 + int(np.argmin(losses))
        assert len(losses) == kept + OPTIONS.patience
    best = rounds[-1][2] if library == "trees" else min(losses)
    assert loss(trees, data[1]) == pytest.approx(best, abs=1e-5)


def test_equal_seeds_give_equal_trees_and_other_seeds_others(fitted):
    library, data, trees, _ = fitted
    again = boost(library, *data, OPTIONS)
    arrays = zip(trees.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in arrays)
    other = boost(library, *data, BoostingOptions(**(vars(OPTIONS) | {"seed": 1})))
    assert other.state_dict()["feature"].tolist() != trees.state_dict()["feature"].tolist()


@pytest.mark.parametrize("library", LIBRARIES)
def test_noise_keeps_few_rounds(library):
    trees = boost(library, examples(2000, 0, noise=1e3), examples(1000, 1, noise=1e3), OPTIONS)
    assert trees.config.rounds <= 10


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_class_without_windows_is_named(library):
    windows = torch.zeros(300, 6, 8)
    data = TensorExamples(windows, torch.arange(300) % 2)
    with pytest.raises(ValueError, match="none is UP"):
        boost(library, data, data, OPTIONS)


def test_rounds_have_bounds():
    with pytest.raises(ValueError, match="rounds: must be 1-512, is 0"):
        BoostingOptions(rounds=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a folder of artifacts of both libraries, a network, and their ensemble."""
    folder = tmp_path_factory.mktemp("boosted")
    options = [
        "--name",
        "m",
        "--arch",
        "trees,lightgbm,linear",
        "--epochs",
        "1",
        "--rounds",
        "20",
        "--ensemble",
    ]
    assert main(["train", "--out", str(folder), *options]) == 0
    return folder


def test_the_command_trains_calibrates_checks_and_ensembles_trees(models, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)  # serving needs none
    for name in ("m-trees", "m-lightgbm"):
        model = artifact.load(models / name / "1")
        manifest = model.manifest
        assert manifest.architecture.name == name.removeprefix("m-")
        assert manifest.data.fit["rounds"] == 20
        assert {check.name for check in manifest.checks} == {
            "skill",
            "parameter_randomization",
            "completeness",
        }
        assert next(check for check in manifest.checks if check.name == "completeness").value == 1.0
    ensemble = artifact.load(models / "m-ensemble" / "1")
    golden = ensemble.statistics.golden_windows
    members = [
        artifact.load(models / f"m-{name}" / "1").scorer(golden) for name in ("trees", "lightgbm", "linear")
    ]
    assert torch.allclose(ensemble.scorer(golden), torch.stack(members).mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"features": 100}, "take windows of 6 x 100, the model's are 6 x 8"),
        ({"time_steps": 8, "features": 6}, "take windows of 8 x 6"),
        ({"rounds": 10**9}, "rounds"),
        ({"depth": 30}, "depth"),
        ({"depth": "6"}, "depth"),
    ],
)
def test_a_manifest_with_other_sizes_is_refused(models, tmp_path, config, message):
    folder = tmp_path / "m-trees" / "1"
    shutil.copytree(models / "m-trees" / "1", folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["architecture"]["config"] |= config
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message):
        artifact.load(folder)


def test_the_trees_of_an_ensemble_are_bounded_before_anything_is_trained():
    with pytest.raises(ValueError, match=r"at most 2048 rounds.*may get 2400"):
        TrainingRun(name="m", version="1", architectures=("trees",), seeds=8, ensemble=True)
    member = {"name": "trees", "config": default_config("trees", 6, 8) | {"rounds": 512}}
    with pytest.raises(ValueError, match="2048 rounds of boosting, have 2560"):
        build("ensemble", {"members": [member] * 5})


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (lambda t: t["network.feature"].fill_(48), "feature must be 0-47"),
        (lambda t: t["network.feature"].fill_(-1), "feature must be 0-47"),
        (lambda t: t["network.cover"].neg_(), "cover"),
        (lambda t: t["network.cover"].zero_(), "cover"),
        (lambda t: t["network.value"].add_(1e-7), "multiples"),
        (lambda t: t["network.threshold"].fill_(torch.nan), "finite"),
        (lambda t: t.update({"network.feature": t["network.feature"].int()}), "int64"),
        (
            lambda t: t.update({"network.value": t["network.value"][:1].clone()}),
            "differ from the architecture",
        ),
    ],
)
def test_wrong_trees_are_refused_even_when_signed(models, tmp_path, tamper, message):
    folder = tmp_path / "m-trees" / "1"
    shutil.copytree(models / "m-trees" / "1", folder)
    tensors = load_file(folder / WEIGHTS)
    tamper(tensors)
    save_file(tensors, folder / WEIGHTS)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["weights_sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=message):
        artifact.load(folder)


def test_without_lightgbm_the_command_names_what_to_install(tmp_path, monkeypatch, capsys):
    assert lightgbm is not None
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert main(["train", "--arch", "lightgbm", "--out", str(tmp_path / "out")]) == 1
    assert "glasstape-server[lightgbm]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
