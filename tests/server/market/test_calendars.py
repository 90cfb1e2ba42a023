from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape import calendars
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore

SEOUL = ZoneInfo("Asia/Seoul")
MINUTE = 60 * SECOND
THURSDAY = datetime(2024, 2, 29, 15, 30, tzinfo=SEOUL)
"""The next day is a holiday of Korea, and a Friday."""


def micros(moment):
    return int(moment.timestamp()) * SECOND


@pytest.fixture
def store(tmp_path):
    opened = BarStore(tmp_path / "bars.sqlite", "5m")
    yield opened
    opened.close()


def five_minutes(symbol, last, days):
    """Bars of the trading days that end with `last`, from 9:05 to 15:30."""
    bars = []
    for number in reversed(range(days)):
        end = last - timedelta(days=number)
        if end.weekday() < 5:
            times = (end - timedelta(minutes=5 * n) for n in reversed(range(78)))
            bars += [Bar(symbol, "5m", micros(time), 10.0, 11.0, 9.0, 10.0, 5.0) for time in times]
    return bars


def publish(store, bars, **instrument):
    instruments = [Instrument(bars[0].symbol, time_zone="Asia/Seoul", **instrument)]
    store.publish([Batch(bars, instruments, mode=BatchMode.BACKFILL)])


def test_bars_are_due_by_the_exchange_an_instrument_names(store):
    calendars.load("XKRX")
    publish(store, five_minutes("A", THURSDAY, 20), exchange="XKOS")
    found = MarketCalendars(store)
    assert found.market_of("A") == "XKRX"
    due = found.due(("A", "5m"), micros(THURSDAY))
    monday = datetime(2024, 3, 4, 9, 5, tzinfo=SEOUL)
    assert (due.next, due.second) == (micros(monday), micros(monday) + 5 * MINUTE)
    assert not due.in_session
    assert found.due(("A", "5m"), micros(THURSDAY) - 60 * MINUTE).in_session


@pytest.mark.parametrize("exchange", ["", "NOWHERE"])
def test_without_a_calendar_they_are_due_by_the_symbols_own_bars(store, exchange):
    calendars.load("NOWHERE")
    publish(store, five_minutes("A", THURSDAY, 20), exchange=exchange)
    found = MarketCalendars(store)
    friday = micros(THURSDAY) + DAY
    assert found.bars_later(("A", "5m"), friday - DAY, 1) == (friday - 77 * 5 * MINUTE,), (
        "no holiday is known"
    )
    assert found.bars_later(("A", "5m"), friday, 1) == (friday + 3 * DAY - 77 * 5 * MINUTE,)


def test_before_its_calendar_begins_an_exchange_is_learned_from_bars(store):
    calendars.load("XKRX")
    early = THURSDAY.replace(year=2008)  # a Friday
    publish(store, five_minutes("A", early, 20), exchange="XKRX")
    monday = early.replace(month=3, day=3, hour=9, minute=5)
    assert MarketCalendars(store).bars_later(("A", "5m"), micros(early), 1) == (micros(monday),)


def test_a_market_that_never_closes_is_named_or_learned(store):
    days = [Bar("B", "1d", day * DAY, 10.0, 11.0, 9.0, 10.0, 5.0) for day in range(19_000, 19_030)]
    store.publish([Batch(days, [Instrument("B")], mode=BatchMode.BACKFILL)])
    store.publish(
        [
            Batch(
                [Bar("C", "1d", 19_000 * DAY, 10.0, 11.0, 9.0, 10.0, 5.0)], [Instrument("C", exchange="24/7")]
            )
        ]
    )
    found = MarketCalendars(store)
    for day in range(19_029, 19_036):
        assert found.bars_later(("B", "1d"), day * DAY, 1) == ((day + 1) * DAY,)
        assert found.bars_later(("C", "1d"), day * DAY, 3) == ((day + 3) * DAY,)


def test_history_that_is_added_later_is_learned_from_after_all(store):
    friday = 19_035 * DAY
    assert datetime.fromtimestamp(friday / SECOND - 1, UTC).weekday() == 4
    store.publish([Batch([Bar("B", "1d", friday, 10.0, 11.0, 9.0, 10.0, 5.0)])])
    found = MarketCalendars(store)
    assert found.bars_later(("B", "1d"), friday, 1) == (friday + 3 * DAY,)
    days = [Bar("B", "1d", friday - day * DAY, 10.0, 11.0, 9.0, 10.0, 5.0) for day in range(1, 30)]
    store.publish([Batch(days[::-1], mode=BatchMode.BACKFILL)])
    found.forget([("B", "1d")])
    assert found.bars_later(("B", "1d"), friday, 1) == (friday + DAY,)


def test_the_newest_bar_of_each_market_decides_what_is_due(store):
    calendars.load("XKRX")
    publish(store, five_minutes("A", THURSDAY, 5), exchange="XKRX")
    publish(store, five_minutes("B", THURSDAY - timedelta(days=1), 5), exchange="XKRX")
    publish(store, five_minutes("C", THURSDAY - timedelta(days=2), 5))
    publish(store, [Bar("D", "1d", 19_000 * DAY, 10.0, 11.0, 9.0, 10.0, 5.0)])
    newest = MarketCalendars(store).newest_stored()
    assert {market: due.close_time for market, due in newest.items()} == {
        "XKRX": micros(THURSDAY),
        "": micros(THURSDAY - timedelta(days=2)),
    }
