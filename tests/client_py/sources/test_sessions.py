"""Dates and opens become closes of the exchange's sessions: half days, late openings, daylight saving time."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape.sources import SourceError
from glasstape.sources.sessions import ContinuousSessions, ExtendedSessions, load_sessions
from source_markets import moment

pytest.importorskip("exchange_calendars", reason="the base install has no calendars")

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def new_york():
    return await load_sessions("XNYS")


@pytest.fixture
async def seoul():
    return await load_sessions("XKRX")


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2024-03-08", "2024-03-08T21:00"),  # the last winter day
        ("2024-03-11", "2024-03-11T20:00"),  # the first summer day
        ("2024-07-03", "2024-07-03T17:00"),  # half day
        ("2024-11-29", "2024-11-29T18:00"),  # half day in winter
        ("2024-07-04", None),
        ("2024-07-06", None),
    ],
)
async def test_a_date_of_new_york_is_its_sessions_close(new_york, day, close):
    assert new_york.day_close(date.fromisoformat(day)) == (close and moment(close))


async def test_a_date_of_seoul_is_its_sessions_close(seoul):
    assert seoul.day_close(date(2025, 11, 12)) == moment("2025-11-12T06:30")
    assert seoul.day_close(date(2025, 11, 13)) == moment("2025-11-13T07:30")  # examination day
    assert seoul.day_close(date(2025, 1, 1)) is None


async def test_a_week_ends_with_its_last_session(new_york, seoul):
    assert new_york.week_close(date(2024, 7, 1)) == moment("2024-07-05T20:00")
    assert new_york.week_close(date(2024, 11, 25)) == moment("2024-11-29T18:00")
    assert new_york.week_close(date(2024, 3, 28)) == moment("2024-03-28T20:00")  # Good Friday follows
    assert seoul.week_close(date(2025, 10, 6)) == moment("2025-10-10T06:30")


async def test_bars_are_counted_from_the_open_and_end_with_the_session(new_york):
    opens = moment("2024-11-29T14:30")
    assert new_york.bar_close(opens, HOUR) == opens + HOUR
    assert new_york.bar_close(opens + 59 * MINUTE, HOUR) == opens + HOUR
    assert new_york.bar_close(opens + 60 * MINUTE, HOUR) == opens + 2 * HOUR
    assert new_york.bar_close(moment("2024-11-29T17:31"), HOUR) == moment("2024-11-29T18:00")
    assert new_york.bar_close(opens - MINUTE, MINUTE) is None
    assert new_york.bar_close(moment("2024-11-29T18:00"), MINUTE) is None


async def test_trades_of_a_closing_auction_belong_to_the_last_bar(seoul):
    close = moment("2025-11-12T06:30")
    assert seoul.bar_close(close, MINUTE) is None
    assert seoul.bar_close(close, MINUTE, auction=True) == close
    assert seoul.bar_close(close + MINUTE, MINUTE, auction=True) is None


@pytest.mark.parametrize(
    ("now", "interval", "close"),
    [
        ("2024-07-03T13:00", "5m", "2024-07-03T13:35"),
        ("2024-07-03T13:35", "5m", "2024-07-03T13:40"),
        ("2024-07-03T16:59", "1h", "2024-07-03T17:00"),
        ("2024-07-03T17:00", "1h", "2024-07-05T14:30"),
        ("2024-07-03T17:00", "1d", "2024-07-05T20:00"),
        ("2024-07-05T20:00", "1d", "2024-07-08T20:00"),
        ("2024-07-03T17:00", "1w", "2024-07-05T20:00"),
        ("2024-07-05T20:00", "1w", "2024-07-12T20:00"),
    ],
)
async def test_the_next_close_follows_the_calendar(new_york, now, interval, close):
    assert new_york.next_close(moment(now), interval) == moment(close)


async def test_trading_after_hours_is_shorter_on_half_days(new_york):
    extended = ExtendedSessions(new_york, time(4), timedelta(hours=4))
    full, half = extended.of(date(2024, 7, 2)), extended.of(date(2024, 7, 3))
    assert (full.open, full.close) == (moment("2024-07-02T08:00"), moment("2024-07-03T00:00"))
    assert (half.open, half.close) == (moment("2024-07-03T08:00"), moment("2024-07-03T21:00"))
    assert extended.of(date(2024, 7, 4)) is None


def test_currencies_trade_from_midnight_to_midnight_on_weekdays():
    london = ContinuousSessions(ZoneInfo("Europe/London"), range(5))
    assert london.day_close(date(2024, 3, 28)) == moment("2024-03-29T00:00")
    assert london.day_close(date(2024, 4, 1)) == moment("2024-04-01T23:00")
    assert london.day_close(date(2024, 3, 31)) is None
    assert london.week_close(date(2024, 4, 1)) == moment("2024-04-05T23:00")
    assert london.next_close(moment("2024-04-05T23:00"), "1d") == moment("2024-04-08T23:00")


async def test_a_day_of_futures_begins_on_the_evening_before():
    futures = await load_sessions("CMES")
    session = futures.of(date(2024, 7, 9))
    assert session.close == moment("2024-07-09T22:00")
    assert session.open == moment("2024-07-08T22:00")
    assert futures.bar_close(moment("2024-07-08T23:00"), HOUR) == moment("2024-07-09T00:00")


async def test_what_no_calendar_covers_is_refused(new_york):
    with pytest.raises(SourceError, match=r"calendar of XNYS: covers 2010-01-04 to .*, not 2009-12-31"):
        new_york.of(date(2009, 12, 31))
    with pytest.raises(SourceError, match="exchange 'XMOON': unknown; expected an ISO 10383 code"):
        await load_sessions("XMOON")


async def test_every_exchange_with_a_zone_has_a_calendar():
    for exchange in ("BATS", "XASE", "XSHE"):  # those without one of their own
        assert (await load_sessions(exchange)).of(date(2024, 7, 2)) is not None
    assert (await load_sessions("24/7")).day_close(date(2024, 7, 6)) == moment("2024-07-07T00:00")
