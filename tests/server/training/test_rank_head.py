import json
import shutil

import numpy as np
import polars as pl
import pytest
import torch
from glasstape_server.evaluation.synthetic import INTERVAL, RULE, known_signal, market
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, ArtifactError
from glasstape_server.training import dataset
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.checkpoint import CheckpointError
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.rank_head import rank_targets
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_run import TrainingRun, train_all
from glasstape_server.training.training_split import TrainingError, TrainingSettings, TrainingSplit

SYMBOLS, BARS = 14, 420


def split_of(frame):
    first, last = (int(frame["close_time"].to_numpy()[i]) for i in (0, -1))
    until = [first + int(share * (last - first)) for share in (0.6, 0.95)]
    settings = TrainingSettings(interval=INTERVAL, train_until=until[0], validate_until=until[1], rule=RULE)
    return TrainingSplit(frame, settings)


@pytest.fixture(scope="module")
def frame():
    return market(known_signal, SYMBOLS, BARS, seed=4)


@pytest.fixture(scope="module")
def split(frame):
    return split_of(frame)


def plan(architecture="linear", **changes):
    boosting = BoostingOptions(rounds=20, leaf_windows=20)
    values = {
        "name": "ranked",
        "version": "1",
        "fit": FitOptions(epochs=6),
        "boosting": boosting,
        "rank_head": True,
    }
    return TrainingPlan(architecture=architecture, **{**values, **changes})


def test_targets_are_ranks_of_the_forward_return_within_the_close(frame):
    data = dataset.build(frame, INTERVAL, FeatureSpec(), RULE)
    targets, returns = rank_targets(data, RULE), data.forward_returns(RULE)
    close = np.random.default_rng(0).choice(np.unique(data.close_time))
    rows = np.flatnonzero(data.close_time == close)
    order = returns[rows].argsort().argsort()
    np.testing.assert_allclose(targets[rows], (2 * order + 1) / len(rows) - 1, atol=1e-6)
    alone = data.select(data.symbol < 4)
    assert np.isnan(rank_targets(alone, RULE)).all()


def test_targets_do_not_depend_on_later_closes(frame):
    data = dataset.build(frame, INTERVAL, FeatureSpec(), RULE)
    middle = int(np.median(data.close_time))
    whole = rank_targets(data.known_between(0, middle), RULE)
    random = np.random.default_rng(1)
    later = pl.col("close_time") >= middle
    noise = pl.Series(np.exp(random.normal(0, 0.1, len(frame))))
    changed = frame.with_columns(
        [
            pl.when(later).then(pl.col(n) * noise).otherwise(pl.col(n))
            for n in ("open", "high", "low", "close")
        ]
    )
    again = dataset.build(changed, INTERVAL, FeatureSpec(), RULE).known_between(0, middle)
    np.testing.assert_array_equal(rank_targets(again, RULE), whole)


@pytest.mark.parametrize("architecture", ["linear", "conv1d", "trees", "lightgbm"])
def test_a_known_signal_is_ranked_and_the_classes_stay_as_they_are(tmp_path, split, architecture):
    trained = train(split, plan(architecture))
    model = artifact.load(save(split, trained, tmp_path / "ranked"))
    plain = artifact.load(save(split, train(split, plan(architecture, rank_head=False)), tmp_path / "plain"))
    metrics = model.manifest.metrics
    assert metrics["check/rank_ic_low"] > 0
    assert metrics["check/rank_ic"] > metrics["check/rank_ic_low_volatility"]
    windows = torch.from_numpy(split.validation.windows()[:50])
    assert torch.equal(model.scorer(windows), plain.scorer(windows))
    assert model.rank_scorer(windows).shape == (50, 1)
    assert plain.rank_scorer is None
    assert "rank_head" not in json.loads((tmp_path / "plain/ranked/1" / MANIFEST).read_text())


def test_equal_seeds_give_equal_files(tmp_path, split):
    folders = [save(split, train(split, plan()), tmp_path / name) for name in "ab"]
    for name in (MANIFEST, artifact.WEIGHTS):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_an_ensemble_averages_the_scores_of_its_members(tmp_path, split):
    run = TrainingRun(
        name="m", version="1", architectures=("linear", "trees"), fit=FitOptions(epochs=2),
        boosting=BoostingOptions(rounds=3, leaf_windows=20), rank_head=True, ensemble=True,
    )  # fmt: skip
    *members, ensemble = map(artifact.load, train_all(split, run, tmp_path, _silent))
    windows = torch.from_numpy(split.validation.windows()[:20])
    mean = torch.stack([member.rank_scorer(windows) for member in members]).mean(dim=0)
    assert torch.allclose(ensemble.rank_scorer(windows), mean)
    again = [artifact.load(path) for path in train_all(split, run, tmp_path, _silent, resume=True)]
    assert [model.ref for model in again] == [model.ref for model in (*members, ensemble)]


def test_a_finished_model_without_a_head_is_not_resumed_with_one(tmp_path, split):
    def run(rank_head):
        return TrainingRun(
            name="m", version="1", architectures=("linear",), fit=FitOptions(epochs=1), rank_head=rank_head
        )

    train_all(split, run(False), tmp_path, _silent)
    with pytest.raises(CheckpointError, match="trained with other head"):
        train_all(split, run(True), tmp_path, _silent, resume=True)


def test_an_interrupted_rank_head_is_resumed(tmp_path, split):
    whole = save(split, train(split, plan()), tmp_path / "whole")
    calls = []

    def interrupt(epoch, training, validation):
        calls.append(epoch)
        if len(calls) == 8:  # the second epoch of the rank head
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(split, plan(), interrupt, tmp_path / "checkpoints")
    assert calls[-1] == 2
    resumed = save(split, train(split, plan(), _noted(calls), tmp_path / "checkpoints"), tmp_path / "resumed")
    assert calls[8:] == [3, 4, 5, 6]
    assert (resumed / artifact.WEIGHTS).read_bytes() == (whole / artifact.WEIGHTS).read_bytes()


def test_closes_of_few_symbols_are_refused_before_anything_is_fitted(frame):
    few = split_of(frame.filter(pl.col("symbol").is_in(frame["symbol"].unique().sort()[:4])))
    with pytest.raises(TrainingError, match="head: training has 0 labeled windows of closes with at least 5"):
        train(few, plan(), _fail)


def test_a_damaged_rank_head_is_refused(tmp_path, split):
    folder = save(split, train(split, plan()), tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    for head, message in (
        (None, "tensors differ"),
        ({"name": "linear", "config": {"time_steps": 6, "features": 8}}, "outputs: must be 1, is 3"),
        ({"name": "trees", "config": {"time_steps": 6, "features": 8, "outputs": 1}}, "tensors differ"),
        ({"name": "os", "config": {}}, "must be one of"),
    ):
        copy = tmp_path / "copy" / "ranked" / "1"
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        (copy / MANIFEST).write_text(json.dumps({**manifest, "rank_head": head}))
        with pytest.raises(ArtifactError, match=message):
            artifact.load(copy)
    swapped = {**manifest, "architecture": manifest["rank_head"]}
    (copy / MANIFEST).write_text(json.dumps(swapped))
    with pytest.raises(ArtifactError, match="outputs: must be 3, is 1"):
        artifact.load(copy)


def test_recorded_scores_are_compared_on_load(tmp_path, split):
    model = artifact.load(save(split, train(split, plan()), tmp_path))
    model.rank_scorer.network.head.bias.add_(0.01)
    with pytest.raises(ArtifactError, match=r"rank scores differ by 0\.01"):
        artifact.check_golden(model)


def _silent(_plan):
    return lambda epoch, training, validation: None


def _noted(calls):
    return lambda epoch, training, validation: calls.append(epoch)


def _fail(epoch, training, validation):
    raise AssertionError("nothing may be fitted")
