"""Which windows train, which select epoch and temperature, and which check the model."""

import numpy as np
import polars as pl
import pytest
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import DAY
from glasstape_server.models import artifact
from glasstape_server.models.artifact import MANIFEST
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training import calibrate, checks
from glasstape_server.training.fit import FitOptions, logits_of
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit
from made_up import columns

FIRST = 18_000 * DAY


def frame(symbols=3, bars=500, seed=0, every=1):
    """Random walks; of symbol n only each (1 + n * (every - 1))th bar, so that outcomes take longer."""
    parts = []
    for number in range(symbols):
        close_time = FIRST + np.arange(bars) * DAY * (1 + number * (every - 1))
        data = dict(
            zip(("open", "high", "low", "close", "volume"), columns(bars, seed + number), strict=True)
        )
        parts.append(pl.DataFrame({"symbol": [f"S{number}"] * bars, "close_time": close_time, **data}))
    return pl.concat(parts)


def split(data=None, train_days=250, validate_days=500):
    settings = TrainingSettings(
        interval="1d", train_until=FIRST + train_days * DAY, validate_until=FIRST + validate_days * DAY
    )
    return TrainingSplit(frame() if data is None else data, settings)


def plan(**fit):
    return TrainingPlan(name="m", version="1", architecture="linear", fit=FitOptions(**fit))


@pytest.mark.parametrize("every", [1, 7])
def test_every_outcome_of_a_part_is_known_before_the_next_part_begins(every):
    data = split(frame(every=every, bars=600))
    assert data.training.known_time.max() < data.validation.close_time.min()
    assert data.validation.known_time.max() < data.check.data.close_time.min()
    assert data.check.data.known_time.max() < data.settings.validate_until


def test_the_check_has_the_second_half_of_the_closes():
    data = split()
    closes = (len(np.unique(part.close_time)) for part in (data.validation, data.check.data))
    selecting, checking = closes
    assert selecting == pytest.approx(checking, abs=5)
    assert len(data.check.labels) == len(data.check.data) == len(data.check.examples)


def test_the_check_ignores_bars_that_follow_the_validation_period():
    until = FIRST + 450 * DAY
    whole = split(validate_days=450)
    cut = split(frame().filter(pl.col("close_time") < until), validate_days=450)
    np.testing.assert_array_equal(whole.check.data.windows(), cut.check.data.windows())
    np.testing.assert_array_equal(whole.check.labels, cut.check.labels)


def test_an_epoch_that_was_selected_on_noise_is_not_credited(tmp_path):
    """The windows that selected it credit the network; the windows of the check do not."""
    data = split(frame(seed=210))
    trained = train(data, plan(epochs=30, patience=30, learning_rate=3e-3))
    logits = logits_of(trained.network, data.examples[1])
    probabilities = softmax(logits, calibrate.fit_temperature(logits, data.labels[1]))
    shares = np.bincount(data.labels[0], minlength=3) / len(data.labels[0])
    assert checks.skill(probabilities, data.labels[1], data.validation.close_time, shares).passed
    manifest = artifact.load(save(data, trained, tmp_path)).manifest
    skill = next(check for check in manifest.checks if check.name == "skill")
    assert not skill.passed
    assert skill.value < 1


def test_the_manifest_states_the_windows_of_the_check_and_their_figures(tmp_path):
    data = split()
    manifest = artifact.load(save(data, train(data, plan(epochs=1)), tmp_path)).manifest
    assert manifest.data.check.windows == len(data.check.data)
    assert manifest.data.check.first_close > manifest.data.validation.last_close
    assert manifest.data.seen_until == manifest.data.check.last_close
    assert 0 < manifest.metrics["check/accuracy"] < 1
    skill = next(check for check in manifest.checks if check.name == "skill")
    closes = len(np.unique(data.check.data.close_time))
    assert f"over {closes} closes that selected neither epoch nor temperature" in skill.text


@pytest.mark.parametrize(("symbols", "days"), [(3, 280), (1, 340)], ids=["too few closes", "too few windows"])
def test_a_validation_period_too_short_to_divide_leaves_skill_unmeasured(tmp_path, symbols, days):
    data = split(frame(symbols), validate_days=days)
    assert data.check is None
    assert data.validation.known_time.max() < FIRST + days * DAY
    manifest = artifact.load(save(data, train(data, plan(epochs=1)), tmp_path)).manifest
    assert manifest.data.check is None
    assert manifest.data.seen_until == manifest.data.validation.last_close
    assert not [name for name in manifest.metrics if name.startswith("check/")]
    skill = next(check for check in manifest.checks if check.name == "skill")
    assert not skill.passed
    assert "not measured" in skill.text
    assert "64 labeled windows" in skill.text


def test_a_manifest_without_a_check_period_is_written_as_it_was_read():
    file = BUNDLED_MODELS / "sample-conv1d" / "1" / MANIFEST
    manifest = artifact.read_manifest(file.parent)
    assert manifest.data.check is None
    assert manifest.to_bytes() == file.read_bytes()
