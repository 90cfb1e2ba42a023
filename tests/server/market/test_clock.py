from datetime import UTC, datetime

import pytest
from glasstape_server.domain.bars import DataState
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.market.clock import Clock, Due

MINUTE = 60 * SECOND


def micros(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND


NOW = micros(2026, 6, 1, 15)


def live_clock():
    return Clock(wall=lambda: NOW)


def due(age, next_after=MINUTE, second_after=2 * MINUTE, interval=MINUTE):
    """A minute bar that closed so long ago."""
    close = NOW - age
    return Due(close, close + next_after, close + second_after, interval)


OPEN_FRESH, OPEN_LATE, OPEN_OVERDUE = due(0), due(90 * SECOND), due(200 * SECOND)
CLOSED = due(200 * SECOND, 60 * MINUTE, 61 * MINUTE)


def test_live_data_ages_from_live_over_delayed_to_stale():
    clock = live_clock()
    assert clock.state() is DataState.EMPTY
    assert clock.last_close is None
    for bar, state in (
        (OPEN_OVERDUE, DataState.STALE),
        (OPEN_LATE, DataState.DELAYED),
        (OPEN_FRESH, DataState.LIVE),
    ):
        clock.saw_bars({"": bar})
        assert clock.state() is state
        assert clock.last_close == bar.close_time
    clock.saw_bars({"": OPEN_LATE})
    assert clock.state() is DataState.LIVE, "an older bar changes nothing"
    assert clock.state_until(OPEN_FRESH.next) is DataState.LIVE
    assert clock.state_until(OPEN_OVERDUE.next) is DataState.DELAYED


def test_a_backfill_is_not_stale_before_two_bars_could_have_come():
    now = [NOW]
    clock = Clock(wall=lambda: now[0])
    clock.saw_backfill({"": OPEN_OVERDUE})
    assert clock.state() is DataState.DELAYED
    now[0] += 2 * MINUTE + 1
    assert clock.state() is DataState.STALE, "no live bar followed"
    clock.saw_backfill({"": OPEN_OVERDUE})
    assert clock.state() is DataState.STALE, "the same bars again are no news"
    clock.saw_bars({"": due(-2 * MINUTE)})
    assert clock.state() is DataState.LIVE


@pytest.mark.parametrize(
    ("bars", "state"),
    [
        ({"XKRX": CLOSED}, DataState.LIVE),
        ({"XKRX": CLOSED, "XNYS": OPEN_FRESH}, DataState.LIVE),
        ({"XKRX": CLOSED, "XNYS": OPEN_LATE}, DataState.DELAYED),
        ({"XKRX": CLOSED, "XNYS": OPEN_OVERDUE}, DataState.STALE),
        ({"XKRX": OPEN_FRESH, "XNYS": OPEN_OVERDUE}, DataState.LIVE),
        ({"XKRX": CLOSED, "XNYS": due(8 * DAY)}, DataState.LIVE),
        ({"XKRX": due(8 * DAY), "XNYS": due(30 * DAY)}, DataState.STALE),
    ],
)
def test_a_closed_market_is_not_overdue_and_hides_none_that_is(bars, state):
    clock = live_clock()
    clock.saw_bars(bars)
    assert clock.state() is state


def test_a_replay_has_its_own_time_and_says_so():
    clock = Clock()
    clock.advance(micros(2012, 1, 3))
    assert clock.now() == micros(2012, 1, 3)
    clock.saw_bars({"": OPEN_OVERDUE})
    assert clock.state() is clock.state_until(OPEN_FRESH.next) is DataState.REPLAY
    clock.advance(micros(2012, 1, 3), speed=1000.0)
    assert clock.now() > micros(2012, 1, 3)
