"""Bars are missing if the market had them, and never because it was closed."""

from datetime import UTC, datetime, timedelta

import pytest
from glasstape import calendars
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.times import INTERVALS
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.missing_bars import MissingBars
from glasstape_server.market.store import BarStore

MONDAY = datetime(2024, 6, 3, 20, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    opened = BarStore(tmp_path / "bars.sqlite")
    yield opened
    opened.close()


def micros(moment):
    return int(moment.timestamp()) * 1_000_000


def weekdays(days, first=MONDAY):
    moments = (first + timedelta(days=number) for number in range(days))
    return [micros(moment) for moment in moments if moment.weekday() < 5]


def publish(store, symbol, closes, interval="1d", halted=(), exchange=""):
    bars = [
        Bar(symbol, interval, close, *([0.0] * 3 if close in halted else [10.0] * 3), 10.0, 5.0)
        for close in closes
    ]
    zone = Instrument(symbol, time_zone="America/New_York", exchange=exchange)
    store.publish([Batch(bars, [zone], BatchMode.BACKFILL)])


def missing(store, symbol="A", interval="1d", window=7):
    key = (symbol, interval)
    closes = store.until(key, store.last_close(key), window)[0]
    return MissingBars(store, MarketCalendars(store)).count(key, [int(close) for close in closes])


def test_weekends_are_not_missing_and_a_weekday_is(store):
    days = weekdays(40)
    publish(store, "A", days)
    assert missing(store) == 0
    publish(store, "B", [day for day in days if day != days[-3]])
    assert missing(store, "B") == 1
    publish(store, "D", days)
    publish(store, "C", [day for day in days if day not in days[-4:-1]])
    assert missing(store, "C") == 3


def test_a_day_on_which_no_symbol_has_a_bar_is_a_holiday(store):
    days = weekdays(40)
    holiday = days[-3]
    for symbol in "AB":
        publish(store, symbol, [day for day in days if day != holiday])
    assert missing(store) == 0
    publish(store, "ODD", days)
    assert missing(store) == 0
    for symbol in "CDE":
        publish(store, symbol, days)
    assert missing(store) == 1


def test_halted_bars_are_not_missing(store):
    days = weekdays(40)
    publish(store, "A", days, halted=days[-4:-2])
    assert missing(store) == 0
    publish(store, "B", [day for day in days if day != days[-5]], halted=days[-4:-2])
    assert missing(store, "B") == 1


def test_sessions_of_the_exchange_decide_where_they_are_known(store, monkeypatch):
    # A holiday on the third last day, and a half day before it.
    days = weekdays(40)
    hours = [(day - 6 * INTERVALS["1h"], day) for day in days]
    hours[-4] = (hours[-4][0], hours[-4][0] + 3 * INTERVALS["1h"])
    del hours[-3]
    monkeypatch.setitem(calendars._calendars, "XTST", calendars.Calendar("XTST", hours))
    publish(store, "A", [day for day in days if day != days[-3]], exchange="XTST")
    publish(store, "OTHER", days)
    assert missing(store) == 0
    publish(store, "B", [day for day in days if day not in (days[-3], days[-5])], exchange="XTST")
    assert missing(store, "B") == 1
    each_hour = [close for start, end in hours for close in range(start, end + 1, INTERVALS["1h"])[1:]]
    publish(store, "A", each_hour, "1h", exchange="XTST")
    assert missing(store, interval="1h", window=12) == 0
    publish(store, "B", [close for close in each_hour if close != each_hour[-2]], "1h", exchange="XTST")
    assert missing(store, "B", "1h") == 1


def session(day, left_out=()):
    """Half hours of a local day with a lunch break."""
    half = INTERVALS["30m"]
    morning = [day - 12 * half + number * half for number in range(5)]
    return [
        close
        for close in (*morning, *(day - number * half for number in (3, 2, 1, 0)))
        if close not in left_out
    ]


def test_a_lunch_break_and_the_night_are_not_missing_in_intraday_bars(store):
    days = weekdays(30)
    closes = [close for day in days for close in session(day)]
    publish(store, "A", closes, "30m")
    assert missing(store, interval="30m", window=18) == 0
    publish(store, "B", [close for close in closes if close not in closes[-3:-1]], "30m")
    assert missing(store, "B", "30m") == 2


def test_a_symbol_alone_is_compared_with_its_week_before(store):
    closes = [close for day in weekdays(30) for close in session(day)]
    publish(store, "A", [close for close in closes if close != closes[-7]], "30m")
    assert missing(store, interval="30m", window=18) == 1


def test_a_market_that_never_closes_misses_every_interval(store):
    hour = INTERVALS["1h"]
    closes = [micros(MONDAY) + number * hour for number in range(60)]
    publish(store, "A", [close for close in closes if close not in closes[-5:-2]], "1h", exchange="24/7")
    assert missing(store, interval="1h") == 3
