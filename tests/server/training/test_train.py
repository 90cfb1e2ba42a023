import json

import numpy as np
import polars as pl
import pytest
from glasstape_server.domain import DAY
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market import sample
from glasstape_server.models import artefact
from glasstape_server.models.artefact import MANIFEST, WEIGHTS
from glasstape_server.settings import BUNDLED_MODELS
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.train import Plan, TrainingError, train
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


def plan(**changes):
    values = {
        "name": "tiny",
        "version": "1",
        "interval": "1d",
        "train_until": FIRST + 250 * DAY,
        "validate_until": FIRST + 350 * DAY,
        "fit": FitOptions(seed=1, epochs=3),
    }
    return Plan(**{**values, **changes})


def test_equal_seeds_give_equal_files_and_other_seeds_others(tmp_path):
    one = train(frame(), plan(), tmp_path / "a")
    two = train(frame(), plan(), tmp_path / "b")
    other = train(frame(), plan(fit=FitOptions(seed=2, epochs=3)), tmp_path / "c")
    assert (one / MANIFEST).read_bytes() == (two / MANIFEST).read_bytes()
    assert (one / WEIGHTS).read_bytes() == (two / WEIGHTS).read_bytes()
    assert (one / WEIGHTS).read_bytes() != (other / WEIGHTS).read_bytes()


def test_a_trained_model_loads_and_says_what_it_has_seen(tmp_path):
    model = artefact.load(train(frame(), plan(), tmp_path))
    data = model.manifest.data
    assert data.symbols == ("S0", "S1")
    gap = (data.validation.first_close - data.training.last_close).days
    assert gap >= model.label_rule.bars_ahead
    assert model.manifest.metrics["training/flat_share"] == pytest.approx(1 / 3, abs=0.01)
    thresholds = model.manifest.thresholds
    assert thresholds.buy_ramp_high >= thresholds.buy_ramp_low + 0.1 - 1e-9
    assert model.manifest.metrics["validation/kept_share"] == pytest.approx(0.2, abs=0.03)


def test_too_little_data_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(TrainingError, match="validation: 0 labelled windows"):
        train(frame(bars=200), plan(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_labels_of_a_data_set_are_thirds_by_construction():
    everything = dataset.build(frame(4, 900), "1d", FeatureSpec(), LabelRule())
    rule = dataset.fit_threshold(everything, LabelRule())
    shares = np.bincount(everything.labels(rule), minlength=3) / len(everything)
    assert shares[1] == pytest.approx(1 / 3, abs=1e-3)
    assert (np.diff(everything.close_time) >= 0).all()


def test_the_temperature_undoes_a_scale_and_never_changes_the_winner():
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3))
    true = calibrate.probabilities(logits, 1.0)
    labels = (true.cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    fitted = calibrate.fit_temperature(logits * 2.5, labels)
    assert fitted == pytest.approx(2.5, rel=0.05)
    before, after = calibrate.probabilities(logits * 2.5, 1.0), calibrate.probabilities(logits * 2.5, fitted)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert calibrate.expected_calibration_error(after, labels) < 0.02
    assert calibrate.expected_calibration_error(before, labels) > 0.05


def test_the_bundled_model_is_what_its_manifest_says():
    manifest = json.loads((BUNDLED_MODELS / "sample-conv1d" / "1" / MANIFEST).read_text())
    assert manifest["data"]["sha256"] == dataset.digest(sample.read())
    assert manifest["data"]["training"]["last_close"] < "2011"
    assert manifest["data"]["validation"]["last_close"] < "2012"
    assert manifest["metrics"]["validation/accuracy"] < 0.45, "that would be a leak until proven otherwise"
