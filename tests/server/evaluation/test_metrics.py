from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.statistics import interval, softmax
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.metrics import LabeledPredictions, MetricEstimates, block_days
from glasstape_server.training import calibrate
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef


def predicted(days=200, each=20, seed=0, sharper=1.0):
    """Predictions that are calibrated, or overconfident by a factor."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 0.5, (days * each, 3))
    true = softmax(logits, 1.0)
    labels = (true.cumsum(axis=1) < random.random((len(true), 1))).sum(axis=1)
    shares = np.tile(np.bincount(labels, minlength=3) / len(labels), (len(labels), 1))
    time = np.repeat(np.arange(1, days + 1) * DAY, each)
    return LabeledPredictions(softmax(logits * sharper, 1.0), labels, time, shares)


def test_metrics_equal_those_of_scikit_learn_and_lie_in_their_intervals():
    predictions = predicted()
    estimates = MetricEstimates(predictions).estimates
    winner = predictions.winner
    expected = {
        "accuracy": accuracy_score(predictions.labels, winner),
        "base_rate": np.bincount(predictions.labels).max() / len(winner),
        "macro_f1": f1_score(predictions.labels, winner, average="macro"),
        "mcc": matthews_corrcoef(predictions.labels, winner),
        "log_loss": log_loss(predictions.labels, predictions.probabilities),
        "brier": ((predictions.probabilities - np.eye(3)[predictions.labels]) ** 2).sum(axis=1).mean(),
        "ece": calibrate.expected_calibration_error(predictions.probabilities, predictions.labels),
    }
    for name, value in expected.items():
        assert estimates[name].value == pytest.approx(value, abs=1e-5), name
        if name != "ece":  # biased upwards by resampling
            assert estimates[name].low <= value <= estimates[name].high
    assert estimates["log_loss_gain"].low > 0


def test_overconfident_predictions_have_a_larger_ece_and_the_same_accuracy():
    true, sharp = MetricEstimates(predicted()), MetricEstimates(predicted(sharper=4.0))
    assert sharp.estimates["accuracy"] == true.estimates["accuracy"]
    assert sharp.estimates["ece"].low > true.estimates["ece"].high
    worse = sharp.difference(true, "log_loss_gain")
    assert worse.high < 0


def test_the_difference_of_a_candidate_to_itself_is_zero():
    own = MetricEstimates(predicted())
    difference = own.difference(MetricEstimates(predicted()), "accuracy")
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_class_predictions_have_no_log_loss():
    predictions = predicted()
    without = LabeledPredictions(
        np.eye(3)[predictions.winner],
        predictions.labels,
        predictions.close_time,
        predictions.shares,
        probabilistic=False,
    )
    assert set(MetricEstimates(without).estimates) == {
        "accuracy",
        "base_rate",
        "accuracy_gain",
        "macro_f1",
        "mcc",
        "hit_rate",
        "call_base_rate",
        "edge",
        "moved_hit_rate",
    }


def test_too_few_days_are_rejected():
    with pytest.raises(ValueError, match="at least 100 are required for intervals, there are 99"):
        MetricEstimates(predicted(days=99))


def test_a_constant_confidence_is_one_bin():
    predictions = predicted()
    constant = replace(predictions, probabilities=np.tile([0.25, 0.35, 0.4], (len(predictions), 1)))
    error = MetricEstimates(constant).estimates["ece"].value
    assert error == pytest.approx(abs(0.4 - (predictions.labels == 2).mean()), abs=1e-9)


def test_the_log_loss_gain_is_its_two_parts_in_every_sample():
    estimates = MetricEstimates(predicted()).estimates
    parts = estimates["flat_gain"].value + estimates["direction_gain"].value
    assert parts == pytest.approx(estimates["log_loss_gain"].value, abs=1e-12)
    predictions = predicted()
    whole = log_loss(predictions.labels, predictions.shares) - log_loss(
        predictions.labels, predictions.probabilities
    )
    assert parts == pytest.approx(whole, abs=1e-9)


def test_calls_are_compared_with_half_of_hits_and_opposites():
    predictions = predicted()
    estimates = MetricEstimates(predictions).estimates
    called = predictions.winner != 1
    hits = (predictions.winner == predictions.labels)[called].mean()
    opposites = (predictions.winner == 2 - predictions.labels)[called].mean()
    expected = {
        "hit_rate": hits,
        "call_base_rate": (hits + opposites) / 2,
        "edge": hits - opposites,
        "moved_hit_rate": hits / (hits + opposites),
    }
    for name, value in expected.items():
        assert estimates[name].value == pytest.approx(value, abs=1e-12), name
        assert estimates[name].low < value < estimates[name].high


def test_without_calls_there_is_nothing_to_say_of_them():
    predictions = predicted()
    quiet = replace(predictions, probabilities=np.tile([0.2, 0.5, 0.3], (len(predictions), 1)))
    assert "hit_rate" not in MetricEstimates(quiet).estimates
    unmoved = replace(predictions, labels=np.ones_like(predictions.labels))
    assert MetricEstimates(unmoved).estimates["edge"].value == 0
    assert "moved_hit_rate" not in MetricEstimates(unmoved).estimates


def test_few_days_get_smaller_blocks_and_too_few_are_rejected():
    assert block_days(1, "1d", 2000) == 10
    assert block_days(1, "1d", 60) == 6
    assert block_days(1, "1d", 20) == 2
    assert block_days(4, "15m", 10) == 1
    with pytest.raises(ValueError, match="at least 20 are required for intervals, there are 19"):
        block_days(1, "1d", 19)
    with pytest.raises(ValueError, match="at least 840 are required"):
        block_days(60, "1d", 400)


def test_intervals_of_few_blocks_are_wider():
    values = np.random.default_rng(0).normal(size=5000)
    few, many, all_ = (interval(values, blocks=n) for n in (10, 1000, None))
    assert few[1] - few[0] > 1.15 * (many[1] - many[0])
    assert many == pytest.approx(all_, rel=0.01)


def test_blocks_are_at_least_as_long_as_labels_overlap():
    assert block_days(1, "1d") == 10
    assert block_days(60, "1d") == 84
    assert block_days(4, "15m") == 10
