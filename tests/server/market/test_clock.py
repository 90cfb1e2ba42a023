from datetime import UTC, datetime

from glasstape_server.domain.values import SECOND, DataState
from glasstape_server.market.clock import Clock, bars_later, wall_time


def micros(*moment):
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND


def test_daily_bars_skip_weekends_and_others_do_not():
    friday = micros(2026, 11, 20, 21)
    assert bars_later(friday, "1d", 1) == micros(2026, 11, 23, 21)
    assert bars_later(friday, "1d", 6) == micros(2026, 11, 30, 21)
    assert bars_later(friday, "1h", 2) == micros(2026, 11, 20, 23)


def test_live_data_ages_from_live_over_delayed_to_stale():
    clock = Clock()
    assert clock.state("1m") is DataState.STALE
    minute = 60 * SECOND
    for age, state in ((0, DataState.LIVE), (90, DataState.DELAYED), (200, DataState.STALE)):
        clock.last_close = wall_time() - age * SECOND
        assert clock.state("1m") is state
    assert clock.state_of(wall_time() - 2 * minute, "1m") is DataState.DELAYED


def test_a_replay_has_its_own_time_and_says_so():
    clock = Clock()
    clock.advance(micros(2012, 1, 3))
    assert clock.now() == micros(2012, 1, 3)
    assert clock.state("1d") is clock.state_of(micros(2012, 1, 3), "1d") is DataState.REPLAY
    clock.advance(micros(2012, 1, 3), speed=1000.0)
    assert clock.now() > micros(2012, 1, 3)
