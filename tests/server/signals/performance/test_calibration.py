import numpy as np
import pytest
from glasstape_server.domain.signals import Confidence, Direction, Outcome
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.calibration import (
    MIN_SESSIONS,
    NO_OUTCOMES,
    SESSIONS,
    CalibrationWatch,
    State,
)


def outcomes(sessions, *, stated=(0.3, 0.4, 0.3), comes=None, symbols=40, seed=0, first=0):
    """Outcomes of one stated prediction, whose classes come with probabilities of their own."""
    random = np.random.default_rng(seed)
    confidence = Confidence(*stated, False, 0.5)
    realized = random.choice(3, (sessions, symbols), p=stated if comes is None else comes)
    for day, classes in enumerate(realized.tolist(), first + 1):
        for value in classes:
            yield "d", Outcome(1, day * DAY, confidence.direction, Direction(value), 0.0, confidence)


def watched(*parts):
    watch = CalibrationWatch()
    for part in parts:
        watch.add(part)
    watch.judge()
    return watch.of("d")


def test_confidences_hold_when_every_interval_lies_within_the_band():
    live = watched(outcomes(70, symbols=1500))
    assert live.state is State.HOLDS
    assert (live.sessions, live.outcomes) == (SESSIONS, SESSIONS * 1500)
    for gap in (live.winner_gap, live.down_gap, live.flat_gap, live.up_gap):
        assert -0.02 <= gap.low < 0 < gap.high <= 0.02
    assert live.up_call_gap is None, "nothing was predicted UP"


def test_few_outcomes_cannot_tell():
    live = watched(outcomes(70, symbols=4))
    assert live.state is State.UNDECIDED
    assert live.winner_gap.high - live.winner_gap.low > 0.04


@pytest.mark.parametrize(
    ("comes", "gap"),
    [((0.4, 0.4, 0.2), "down_gap"), ((0.25, 0.5, 0.25), "flat_gap"), ((0.2, 0.4, 0.4), "up_gap")],
)
def test_a_class_that_comes_more_often_than_stated_is_broken(comes, gap):
    live = watched(outcomes(70, comes=comes, symbols=100))
    assert live.state is State.BROKEN
    estimate = getattr(live, gap)
    assert estimate.low > 0.02
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate.value == pytest.approx(0.1, abs=0.02)


def test_up_calls_are_watched_apart_from_the_up_class():
    """Predictions of UP come too seldom, and those of FLAT make up for it: only UP calls and the winner show that."""
    up = outcomes(70, stated=(0.3, 0.3, 0.4), comes=(0.35, 0.35, 0.3), symbols=100)
    flat = outcomes(70, stated=(0.3, 0.4, 0.3), comes=(0.25, 0.35, 0.4), symbols=100, seed=1)
    live = watched(up, flat)
    assert live.state is State.BROKEN
    assert live.up_call_gap.high < -0.02
    assert live.up_gap.low < 0 < live.up_gap.high


def test_nothing_is_said_of_too_few_sessions_or_of_no_outcome():
    wrong = (0.8, 0.1, 0.1)
    assert watched(outcomes(MIN_SESSIONS, comes=wrong)).state is State.UNKNOWN
    assert watched(outcomes(MIN_SESSIONS + 1, comes=wrong)).state is State.BROKEN
    assert watched() is None
    assert NO_OUTCOMES.state is State.UNKNOWN


def test_outcomes_of_one_session_that_come_together_do_not_count_apart():
    """Every session has one class: so many outcomes, but only 60 observations."""
    random = np.random.default_rng(0)
    together = [
        outcome
        for day, realized in enumerate(random.choice(3, 70, p=(0.3, 0.4, 0.3)))
        for outcome in outcomes(1, comes=np.eye(3)[realized], symbols=500, first=day)
    ]
    live = watched(together)
    assert live.state is State.UNDECIDED
    assert live.flat_gap.high - live.flat_gap.low > 0.2


def test_one_bad_session_breaks_nothing_but_two_in_a_row_do():
    """Sixty sessions that hold, then worse ones, until the interval of all sixty leaves the band."""
    watch = CalibrationWatch()
    watch.add(outcomes(61, symbols=300))
    worse = list(outcomes(60, comes=(0.35, 0.3, 0.35), symbols=300, first=61, seed=1))
    states = []
    for day in range(60):
        watch.add(worse[300 * day : 300 * (day + 1)])
        watch.judge()
        live = watch.of("d")
        gaps = (live.winner_gap, live.down_gap, live.flat_gap, live.up_gap)
        states.append((live.state, {n for n, gap in enumerate(gaps) if gap.high < -0.02 or gap.low > 0.02}))
    second = next(day for day in range(1, 60) if states[day][1] & states[day - 1][1])
    assert states[second][0] is State.BROKEN
    assert all(state is not State.BROKEN for state, _ in states[:second])


def test_old_sessions_are_forgotten_and_order_does_not_matter():
    bad, good = list(outcomes(80, comes=(0.8, 0.1, 0.1))), list(outcomes(80, first=80))
    forward, backward = watched(bad, good), watched(good, bad)
    assert forward.state is not State.BROKEN
    assert forward == backward
