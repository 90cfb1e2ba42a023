import numpy as np
import pytest
from glasstape_server.domain.signals import Confidence, Direction, Outcome
from glasstape_server.domain.times import DAY
from glasstape_server.signals.performance.calibration import SESSIONS, CalibrationWatch, State


def outcomes(sessions, *, said=0.5, comes=0.5, novelty=0.5, symbols=40, seed=0, first=0):
    """Calls of UP at one confidence, which come true with a probability of their own."""
    random = np.random.default_rng(seed)
    rest = (1 - said) / 2
    for day in range(first + 1, first + sessions + 1):
        for _ in range(symbols):
            realized = Direction.UP if random.random() < comes else Direction.DOWN
            yield (
                "d",
                Outcome(
                    1, day * DAY, Direction.UP, realized, 0.0, Confidence(rest, rest, said, False, novelty)
                ),
            )


def watched(*parts):
    watch = CalibrationWatch()
    for part in parts:
        watch.add(part)
    watch.judge()
    return watch


def test_confidences_that_come_true_hold():
    live = watched(outcomes(70)).of("d")
    assert live.state is State.HOLDS
    assert (live.sessions, live.outcomes) == (SESSIONS, SESSIONS * 40)
    assert live.winner_gap.low < 0 < live.winner_gap.high
    assert not live.drifted


@pytest.mark.parametrize("comes", [0.40, 0.60])
def test_confidences_that_do_not_are_broken(comes):
    live = watched(outcomes(70, comes=comes)).of("d")
    assert live.state is State.BROKEN
    assert live.winner_gap.value == pytest.approx(comes - 0.5, abs=0.03)
    assert live.winner_gap.low <= live.winner_gap.value <= live.winner_gap.high


def test_nothing_is_said_of_too_few_sessions_or_of_nobody():
    assert watched(outcomes(SESSIONS, comes=0.1)).state("d") is State.UNKNOWN
    assert watched(outcomes(SESSIONS + 1, comes=0.1)).state("d") is State.BROKEN
    assert watched().of("d") is None
    assert watched().state("d") is State.UNKNOWN


def test_one_bad_session_breaks_nothing_but_two_in_a_row_do():
    """Sixty sessions that hold, then worse ones, until the interval of all sixty leaves the band."""
    watch = watched(outcomes(61, symbols=100))
    worse = list(outcomes(60, comes=0.4, symbols=100, first=61, seed=1))
    states = []
    for day in range(60):
        watch.add(worse[100 * day : 100 * (day + 1)])
        watch.judge()
        states.append((watch.state("d"), watch.of("d").winner_gap.high < -0.02))
    outside = [beyond for _, beyond in states]
    first = next(day for day in range(60) if outside[day] and outside[day + 1])
    assert states[first][0] is State.HOLDS, "one session outside is not enough"
    assert states[first + 1][0] is State.BROKEN
    assert all(state is State.HOLDS for state, _ in states[: first + 1])


def test_old_sessions_are_forgotten_and_order_does_not_matter():
    bad, good = list(outcomes(80, comes=0.2)), list(outcomes(80, first=80))
    forward, backward = watched(bad, good), watched(good, bad)
    assert forward.state("d") is State.HOLDS
    assert forward.of("d") == backward.of("d")


def test_inputs_that_are_novel_too_often_have_drifted():
    usual, strange = outcomes(70, novelty=0.5), outcomes(70, novelty=0.99)
    assert not watched(usual).of("d").drifted
    live = watched(strange).of("d")
    assert live.drifted
    assert live.novel_share.value == 1.0
