import logging
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.times import DAY
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bars.sqlite"


@pytest.fixture
def store(path):
    opened = BarStore(path)
    yield opened
    opened.close()


def publish(store, *bars, instruments=()):
    (report,) = store.publish([Batch(bars, instruments, BatchMode.BACKFILL)])
    assert report.rejections == []


def daily(symbol, count, zone="UTC", at=time(16), price=10.0):
    """Bars of consecutive days, closing at a local time."""
    days = (date(2024, 1, 1) + timedelta(days=number) for number in range(count))
    closes = [int(datetime.combine(day, at, ZoneInfo(zone)).timestamp()) * 1_000_000 for day in days]
    return [Bar(symbol, "1d", close, price, price, price, price, 1.0) for close in closes]


FULL = Instrument(
    "A", "Name", "이름", "XKRX", "Asia/Seoul", "KRW", tick_size=100.0, price_decimals=0, price_limit=0.3,
    sector="Technology", industry="Chips",
)  # fmt: skip


def test_a_description_of_some_fields_erases_no_other(store, path):
    publish(store, instruments=[FULL])
    publish(store, instruments=[Instrument("A", sector="Materials"), Instrument("A", tick_size=50.0)])
    expected = FULL.merged(Instrument("A", sector="Materials", tick_size=50.0))
    assert (expected.name, expected.price_decimals, expected.sector) == ("Name", 0, "Materials")
    assert store.instruments["A"] == expected
    store.close()
    store = BarStore(path)
    assert store.instruments["A"] == expected
    store.close()


def test_the_time_zone_of_an_exchange_needs_no_bars(store):
    publish(
        store,
        instruments=[Instrument("A", exchange="XNAS"), Instrument("B", exchange="XTKS", time_zone="UTC")],
    )
    assert (store.time_zone("A"), store.instruments["A"].assumed) == ("America/New_York", ())
    assert store.time_zone("B") == "UTC"


def test_time_zone_and_decimals_are_learned_and_kept(store, path):
    publish(store, *daily("A", 400, "America/New_York", price=12.34), *daily("B", 29, price=71_300.0))
    learned = store.instruments["A"]
    assert (learned.time_zone, learned.price_decimals) == ("America/New_York", 2)
    assert (set(learned.learned), learned.assumed) == ({"time_zone", "price_decimals"}, ())
    assert learned.price_step == pytest.approx(0.01)
    too_few = store.instruments["B"]
    assert (too_few.time_zone, too_few.price_decimals, too_few.assumed) == ("UTC", None, ("time_zone",))
    store.close()
    store = BarStore(path)
    assert store.instruments == {"A": learned, "B": too_few}
    store.close()


def test_learning_goes_on_with_every_bar(store):
    for bar in daily("A", 360, "America/New_York", price=12.5):
        publish(store, bar)
    assert store.instruments["A"].price_decimals == 1
    assert store.time_zone("A") == "America/New_York"
    later = [
        Bar("A", "1d", bar.close_time, *[12.25] * 4, 1.0) for bar in daily("A", 600, "America/New_York")[360:]
    ]
    publish(store, *later)
    assert store.instruments["A"].price_decimals == 2


def test_stated_values_win_over_learned_ones(store):
    bars = daily("A", 400, "America/New_York", price=12.34)
    publish(store, *bars, instruments=[Instrument("A", time_zone="Asia/Tokyo", price_decimals=4)])
    assert store.instruments["A"] == Instrument("A", time_zone="Asia/Tokyo", price_decimals=4)
    publish(store, *daily("B", 400, "America/New_York", price=12.34))
    publish(store, instruments=[Instrument("B", price_decimals=3)])
    assert (store.instruments["B"].price_decimals, store.instruments["B"].learned) == (3, ("time_zone",))


def test_a_learned_zone_decides_trading_days(store):
    bars = daily("A", 400, "Australia/Sydney")
    publish(store, *bars)
    after_midnight = bars[-1].close_time + 12 * DAY // 24
    twice = Bar("A", "1d", after_midnight - 5 * DAY // 24, 10.0, 10.0, 10.0, 10.0, 1.0)
    (report,) = store.publish([Batch([twice])])
    ((_, _, error),) = report.rejections
    assert "Australia/Sydney already has a bar" in error.message


def test_damaged_symbols_and_unknown_zones_are_logged_once(store, caplog):
    with caplog.at_level(logging.WARNING):
        publish(
            store,
            *daily("005930", 1),
            *daily("5930", 1),
            *daily("660", 1),
            *daily("AAPL", 1),
            *daily("Aapl", 1),
        )
        publish(store, *daily("1234", 1))
    messages = [record.getMessage() for record in caplog.records]
    assert (
        messages[0] == "symbols AAPL, Aapl differ by upper and lower case alone and are separate instruments"
    )
    assert messages[1:3] == [
        "numeric symbols have 3 digits (660) and 6 digits: leading zeros may be lost",
        "numeric symbols have 4 digits (5930) and 6 digits: leading zeros may be lost",
    ]
    assert messages[3].startswith("time_zone of 005930, 5930, 660 and 2 more is not stated")
    assert len(messages) == 4


def test_nothing_is_learned_from_a_batch_that_was_not_stored(store):
    bad = [Bar("A", "1d", bar.close_time, 10.0, 9.0, 10.0, 10.0, 1.0) for bar in daily("A", 40)]
    store.publish([Batch(bad, mode=BatchMode.BACKFILL)])
    assert store.instruments == {}
