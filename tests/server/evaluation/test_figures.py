from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.values import DAY
from glasstape_server.evaluation.figures import Figures, Predicted, block_days
from glasstape_server.training import calibrate
from sklearn.metrics import accuracy_score, f1_score, log_loss, matthews_corrcoef


def predicted(days=200, each=20, seed=0, sharper=1.0):
    """Confidences that are true, or by a factor too sharp."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 0.5, (days * each, 3))
    true = softmax(logits, 1.0)
    labels = (true.cumsum(axis=1) < random.random((len(true), 1))).sum(axis=1)
    shares = np.tile(np.bincount(labels, minlength=3) / len(labels), (len(labels), 1))
    time = np.repeat(np.arange(1, days + 1) * DAY, each)
    return Predicted(softmax(logits * sharper, 1.0), labels, time, shares)


def test_every_figure_is_the_textbooks_and_lies_in_its_interval():
    given = predicted()
    found = Figures(given).estimates
    winner = given.winner
    expected = {
        "accuracy": accuracy_score(given.labels, winner),
        "base_rate": np.bincount(given.labels).max() / len(winner),
        "macro_f1": f1_score(given.labels, winner, average="macro"),
        "mcc": matthews_corrcoef(given.labels, winner),
        "log_loss": log_loss(given.labels, given.stated),
        "brier": ((given.stated - np.eye(3)[given.labels]) ** 2).sum(axis=1).mean(),
        "ece": calibrate.expected_calibration_error(given.stated, given.labels),
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-5), name
        if name != "ece":  # resampling can only add to it
            assert found[name].low <= value <= found[name].high
    assert found["log_loss_gained"].low > 0


def test_confidences_that_are_too_sharp_have_a_larger_error_and_no_other_winner():
    true, sharp = Figures(predicted()), Figures(predicted(sharper=4.0))
    assert sharp.estimates["accuracy"] == true.estimates["accuracy"]
    assert sharp.estimates["ece"].low > true.estimates["ece"].high
    worse = sharp.beyond(true, "log_loss_gained")
    assert worse.high < 0


def test_a_candidate_against_itself_is_exactly_nothing():
    own = Figures(predicted())
    found = own.beyond(Figures(predicted()), "accuracy")
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_winners_without_probabilities_have_no_log_loss():
    given = predicted()
    without = Predicted(
        np.eye(3)[given.winner], given.labels, given.close_time, given.shares, probabilistic=False
    )
    assert set(Figures(without).estimates) == {"accuracy", "base_rate", "accuracy_gained", "macro_f1", "mcc"}


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="must be 100 or more for intervals, are 99"):
        Figures(predicted(days=99))


def test_a_constant_confidence_is_one_bin():
    given = predicted()
    constant = replace(given, stated=np.tile([0.25, 0.35, 0.4], (len(given), 1)))
    error = Figures(constant).estimates["ece"].value
    assert error == pytest.approx(abs(0.4 - (given.labels == 2).mean()), abs=1e-9)


def test_blocks_are_as_long_as_labels_overlap():
    assert block_days(1, "1d") == 10
    assert block_days(60, "1d") == 84
    assert block_days(4, "15m") == 10
