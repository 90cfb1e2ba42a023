from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.statistics import softmax
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
    }


def test_too_few_days_are_rejected():
    with pytest.raises(ValueError, match="at least 100 are required for intervals, there are 99"):
        MetricEstimates(predicted(days=99))


def test_a_constant_confidence_is_one_bin():
    predictions = predicted()
    constant = replace(predictions, probabilities=np.tile([0.25, 0.35, 0.4], (len(predictions), 1)))
    error = MetricEstimates(constant).estimates["ece"].value
    assert error == pytest.approx(abs(0.4 - (predictions.labels == 2).mean()), abs=1e-9)


def test_blocks_are_at_least_as_long_as_labels_overlap():
    assert block_days(1, "1d") == 10
    assert block_days(60, "1d") == 84
    assert block_days(4, "15m") == 10
