import numpy as np
import pytest
from glasstape_server.domain.times import DAY
from glasstape_server.domain.training_reference import TrainingReference
from glasstape_server.signals.performance.drift import (
    MIN_SESSIONS,
    SESSIONS,
    DriftWatch,
    holm,
    persistent_variance,
)

NAMES = ("return", "volume", "range")
REFERENCE = TrainingReference(
    NAMES, np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 0.5]), np.array([0.0, 0.5, 0.9]), 1000
)


def watched(sessions, *, shift=(0, 0, 0), novel=0.05, symbols=40, seed=0, reference=REFERENCE, known=True):
    """Windows whose features are shifted by so many standard deviations, of which a share is novel."""
    random = np.random.default_rng(seed)
    watch = DriftWatch(lambda digest: reference)
    for day in range(1, sessions + 1):
        bars = REFERENCE.mean + REFERENCE.deviation * (random.normal(size=(symbols, 3)) + shift)
        novelty = np.where(random.random(symbols) < novel, 0.99, 0.5)
        newest = list(bars.astype(np.float32)) if known else [None] * symbols
        watch.add("d", np.full(symbols, day * DAY), novelty, newest)
    watch.judge()
    return watch


def test_usual_inputs_have_not_drifted():
    drift = watched(70).of("d")
    assert not drift.drifted
    assert (drift.sessions, drift.windows) == (SESSIONS, SESSIONS * 40)
    assert drift.novel_share.low < 0.05 < drift.novel_share.high
    assert [shift.feature for shift in drift.shifts] == list(NAMES)
    for shift in drift.shifts:
        assert shift.shift.low < 0 < shift.shift.high
        assert not shift.significant


def test_novel_windows_are_reported_after_ten_sessions():
    assert not watched(MIN_SESSIONS - 1, novel=0.3).of("d").drifted
    drift = watched(MIN_SESSIONS, novel=0.3).of("d")
    assert drift.drifted
    assert drift.novel_share.low > 0.10
    assert "novel" in drift.text


def test_a_feature_whose_mean_has_shifted_is_reported_by_name_after_ten_sessions():
    assert not watched(MIN_SESSIONS - 1, shift=(2, 0, 0)).of("d").drifted
    drift = watched(MIN_SESSIONS, shift=(2, 0, 0)).of("d")
    assert drift.drifted
    assert [shift.significant for shift in drift.shifts] == [True, False, False]
    assert drift.shifts[0].shift.value == pytest.approx(2, abs=0.2)
    assert "return" in drift.text


def test_a_shift_within_the_limit_is_not_reported():
    drift = watched(60, shift=(0.24, 0, 0), symbols=400).of("d")
    assert drift.shifts[0].shift.value == pytest.approx(0.24, abs=0.02)
    assert not drift.drifted


def test_a_model_without_training_statistics_is_checked_for_novelty_alone():
    drift = watched(20, novel=0.3, reference=None).of("d")
    assert drift.drifted
    assert drift.shifts == ()
    assert watched(20, known=False).of("d").shifts == ()


def test_old_sessions_are_forgotten():
    watch = watched(60, novel=0.9)
    assert watch.of("d").drifted
    random = np.random.default_rng(1)
    for day in range(61, 121):
        novelty = np.where(random.random(40) < 0.05, 0.99, 0.5)
        watch.add("d", np.full(40, day * DAY), novelty, [None] * 40)
    watch.judge()
    assert not watch.of("d").drifted
    assert watch.enough("d", 60 * DAY)
    assert not watch.enough("d", 61 * DAY)
    assert watch.of("other") is None


def test_holm_rejects_by_rank_and_stops_at_the_first_that_stands():
    assert holm(np.array([0.001, 0.02, 0.04]), 0.05) == [True, True, True]
    assert holm(np.array([0.03, 0.02, 0.04]), 0.05) == [False, False, False]
    assert holm(np.array([0.03, 0.01, 0.04]), 0.05) == [False, True, False]
    assert holm(np.array([]), 0.05) == []


def test_a_persistent_feature_needs_a_wider_shift():
    """Ten sessions of a rally move the mean of a trend feature in a market that has not changed."""
    rally = watched(MIN_SESSIONS, shift=(0, 0, 2)).of("d")
    assert not rally.drifted
    assert rally.shifts[2].shift.low < 0 < rally.shifts[2].shift.value
    assert watched(MIN_SESSIONS, shift=(2, 0, 0)).of("d").drifted


@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.9])
def test_the_variance_of_persistent_means_is_that_of_the_sum_of_their_covariances(persistence):
    lags = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    expected = (persistence**lags).sum() / 12**2
    assert persistent_variance(12, persistence) == pytest.approx(expected)
