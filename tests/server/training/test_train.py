import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import DAY
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market import sample
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST, WEIGHTS
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.checkpoint import CheckpointError
from glasstape_server.training.examples import Normalization
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_run import TrainingRun, comparison_table, train_all
from glasstape_server.training.training_split import TrainingError, TrainingSettings, TrainingSplit
from made_up import columns

FIRST = 18_000 * DAY


def frame(symbols=2, bars=400):
    parts = []
    for number in range(symbols):
        values = columns(bars, number)
        close_time = FIRST + np.arange(bars) * DAY
        data = dict(zip(("open", "high", "low", "close", "volume"), values, strict=True))
        parts.append(pl.DataFrame({"symbol": [f"S{number}"] * bars, "close_time": close_time, **data}))
    return pl.concat(parts)


def settings(**changes):
    values = {"interval": "1d", "train_until": FIRST + 250 * DAY, "validate_until": FIRST + 350 * DAY}
    return TrainingSettings(**{**values, **changes})


def plan(**changes):
    return TrainingPlan(**{"name": "tiny", "version": "1", "fit": FitOptions(seed=1, epochs=3), **changes})


@pytest.fixture(scope="module")
def split():
    return TrainingSplit(frame(), settings())


def test_equal_seeds_give_equal_files_and_other_seeds_others(tmp_path):
    one, two = (save(data, train(data, plan()), tmp_path / name) for name, data in _twice())
    data = TrainingSplit(frame(), settings())
    other = save(data, train(data, plan(fit=FitOptions(seed=2, epochs=3))), tmp_path / "c")
    assert (one / MANIFEST).read_bytes() == (two / MANIFEST).read_bytes()
    assert (one / WEIGHTS).read_bytes() == (two / WEIGHTS).read_bytes()
    assert (one / WEIGHTS).read_bytes() != (other / WEIGHTS).read_bytes()


def _twice():
    """The second time symbol by symbol, as files larger than the memory are read."""
    whole = frame()
    yield "a", TrainingSplit(whole, settings())
    yield "b", TrainingSplit((whole.filter(pl.col("symbol") == s) for s in ("S0", "S1")), settings())


def test_a_trained_model_loads_with_its_training_data_described(tmp_path, split):
    model = artifact.load(save(split, train(split, plan()), tmp_path))
    data = model.manifest.data
    assert data.symbols == ("S0", "S1")
    gap = (data.validation.first_close - data.training.last_close).days
    assert gap >= model.label_rule.bars_ahead
    assert model.manifest.metrics["training/flat_share"] == pytest.approx(1 / 3, abs=0.01)
    thresholds = model.manifest.thresholds
    assert thresholds.buy_ramp_high >= thresholds.buy_ramp_low + 0.1 - 1e-9
    assert model.manifest.metrics["validation/kept_share"] == pytest.approx(0.2, abs=0.03)
    points = model.manifest.reliability
    assert sum(point.count for point in points) == data.validation.windows
    assert [p.stated for p in points] == sorted(p.stated for p in points)


def test_the_manifest_splits_the_log_loss_saved_against_the_prior(tmp_path, split):
    manifest = artifact.load(save(split, train(split, plan()), tmp_path)).manifest
    m = {name.removeprefix("validation/"): value for name, value in manifest.metrics.items()}
    shares = np.bincount(split.labels[0], minlength=3) / len(split.labels[0])
    np.testing.assert_allclose(manifest.training_shares, shares, atol=1e-6)
    prior_log_loss = -np.log(shares)[split.labels[1]].mean()
    assert m["prior_log_loss"] == pytest.approx(prior_log_loss, abs=1e-6)
    assert m["base_rate"] == pytest.approx((split.labels[1] == shares.argmax()).mean(), abs=1e-6)
    assert m["kept_calls"] <= m["calls"]
    m = {name.removeprefix("check/"): value for name, value in manifest.metrics.items()}
    prior_log_loss = -np.log(shares)[split.check.labels].mean()
    assert m["log_loss_gain"] == pytest.approx(prior_log_loss - m["log_loss"], abs=1e-5)
    assert m["flat_gain"] + m["direction_gain"] == pytest.approx(m["log_loss_gain"], abs=1e-12)
    assert m["edge"] == pytest.approx(2 * (m["hit_rate"] - m["call_base_rate"]), abs=1e-5)
    skill = manifest.skill
    assert skill.flat.low <= skill.flat.value <= skill.flat.high
    assert skill.moved_hit_rate.value == m["moved_hit_rate"]
    table = comparison_table([manifest])
    assert f"{m['flat_gain']:+.4f}" in table
    assert f"{m['direction_gain']:+.4f}" in table
    assert f"{m['hit_rate']:.1%} / {m['call_base_rate']:.1%}" in table
    assert manifest.model_copy(update={"metrics": {}}).skill is None
    assert manifest.model_copy(update={"metrics": {}}).training_shares is None


class Interrupted(Exception):
    pass


def test_a_resumed_training_gives_the_same_weights(tmp_path, split):
    interrupted = plan(fit=FitOptions(seed=3, epochs=5))

    def stop(epoch, loss, validation):
        if epoch == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(split, interrupted, stop, tmp_path / "left")
    resumed = []
    network = train(split, interrupted, lambda epoch, *_: resumed.append(epoch), tmp_path / "left")
    assert resumed[0] == 3
    one = save(split, network, tmp_path / "resumed")
    two = save(split, train(split, interrupted), tmp_path / "whole")
    assert (one / WEIGHTS).read_bytes() == (two / WEIGHTS).read_bytes()


def test_a_checkpoint_of_another_training_is_rejected(tmp_path, split):
    def stop(epoch, loss, validation):
        raise Interrupted

    with pytest.raises(Interrupted):
        train(split, plan(), stop, tmp_path)
    with pytest.raises(CheckpointError, match="made with other data or options"):
        train(split, plan(fit=FitOptions(seed=9, epochs=3)), checkpoints=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError, match="damaged"):
        train(split, plan(), checkpoints=tmp_path)


def test_a_run_trains_all_networks_and_seeds_and_their_ensemble(tmp_path, split):
    run = TrainingRun(
        name="m",
        version="1",
        architectures=("linear", "conv1d"),
        seeds=2,
        fit=FitOptions(epochs=2),
        ensemble=True,
    )
    folders = train_all(split, run, tmp_path, lambda plan: lambda *_: None)
    assert [f.relative_to(tmp_path).as_posix() for f in folders] == [
        "m-linear/1.0", "m-linear/1.1", "m-conv1d/1.0", "m-conv1d/1.1", "m-ensemble/1",
    ]  # fmt: skip
    models = [artifact.load(folder) for folder in folders]
    windows = torch.from_numpy(split.validation.windows(slice(0, 20)))
    logits = [model.scorer(windows) for model in models]
    torch.testing.assert_close(logits[-1], torch.stack(logits[:-1]).mean(dim=0))
    table = comparison_table([model.manifest for model in models])
    assert len(table.splitlines()) == 6
    with pytest.raises(FileExistsError, match=r"m-linear/1\.0"):
        train_all(split, run, tmp_path, lambda plan: lambda *_: None)
    assert not (tmp_path / ".training").exists()
    other = replace(run, fit=FitOptions(epochs=2, seed=7))
    with pytest.raises(CheckpointError, match=r"m-linear/1\.0: was trained with other seed"):
        train_all(split, other, tmp_path, lambda plan: lambda *_: None, resume=True)
    again = []
    assert train_all(split, run, tmp_path, again.append, resume=True) == folders
    assert again == [], "finished models must not be trained again"


def test_too_little_data_is_rejected_and_leaves_no_output(tmp_path, split):
    with pytest.raises(TrainingError, match="validation: 0 labeled windows"):
        TrainingSplit(frame(bars=200), settings())
    with pytest.raises(TrainingError, match="name: must match"):
        train(split, plan(name="../x"), checkpoints=tmp_path)
    with pytest.raises(ValueError, match="no symbol has 76 bars"):
        TrainingSplit(frame(bars=70), settings())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["horizon", "triple_barrier"])
def test_a_third_of_the_windows_is_flat(kind):
    unfitted = LabelRule(kind=kind, horizon_bars=4)
    data = dataset.build(frame(4, 900), "1d", FeatureSpec(), unfitted)
    rule = data.fitted(unfitted)
    shares = np.bincount(data.labels(rule), minlength=3) / len(data)
    assert shares[1] == pytest.approx(1 / 3, abs=1e-3)
    assert (np.diff(data.close_time) >= 0).all()


def test_the_temperature_removes_a_scale_and_keeps_the_predicted_class():
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3))
    true = softmax(logits, 1.0)
    labels = (true.cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    fitted = calibrate.fit_temperature(logits * 2.5, labels)
    assert fitted == pytest.approx(2.5, rel=0.05)
    before, after = softmax(logits * 2.5, 1.0), softmax(logits * 2.5, fitted)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert calibrate.expected_calibration_error(after, labels) < 0.02
    assert calibrate.expected_calibration_error(before, labels) > 0.05


def test_the_bundled_model_was_trained_on_the_bundled_sample():
    manifest = json.loads((BUNDLED_MODELS / "sample-conv1d" / "1" / MANIFEST).read_text())
    assert manifest["data"]["sha256"] == dataset.digest(sample.read())
    assert manifest["data"]["training"]["last_close"] < "2011"
    assert manifest["data"]["validation"]["last_close"] < "2012"
    assert manifest["metrics"]["validation/accuracy"] < 0.45, "a leak is likely"


def test_an_ensemble_lists_its_members(tmp_path, split):
    run = TrainingRun(
        name="m", version="1", architectures=("linear",), seeds=2, fit=FitOptions(epochs=1), ensemble=True
    )
    *_, folder = train_all(split, run, tmp_path, lambda plan: lambda *_: None)
    manifest = artifact.load(folder).manifest
    assert [(m["name"], m["version"], m["seed"]) for m in manifest.data.members] == [
        ("m", "1.0", 0),
        ("m", "1.1", 1),
    ]
    assert manifest.data.fit["epochs"] == 1
    with pytest.raises(ValueError, match="must have 2-32 networks"):
        replace(run, seeds=33)


def test_a_class_without_training_windows_is_rejected(split):
    rising = frame().with_columns(
        **{
            n: pl.Series(np.tile(np.exp(0.01 * np.arange(400)) * 100, 2))
            for n in ("open", "high", "low", "close")
        }
    )
    with pytest.raises(TrainingError, match="training: no window is"):
        TrainingSplit(rising, settings())


def test_a_constant_feature_has_the_deviation_1():
    spec = FeatureSpec(names=("close_return", "weekday", "minute_of_day"))
    data = dataset.build(frame(2, 300), "1d", spec, LabelRule())
    normalization = Normalization.of(data)
    assert normalization.deviation[2] == 1
    assert normalization.mean[2] == data.features[-1, 2].item()
    assert 0 < normalization.deviation[1] < 1
