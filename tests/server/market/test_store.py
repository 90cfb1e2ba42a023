import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from full_disk import file_size_limit
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import AlreadyExists, DataLoss, InvalidArgument, ResourceExhausted
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore

KEY = ("A", "1d")


def bar(day, close=10.0, **changes):
    return replace(Bar("A", "1d", day * DAY, close, close + 1, close - 1, close, 5.0), **changes)


@pytest.fixture
def store(tmp_path):
    opened = BarStore(tmp_path / "bars.sqlite")
    yield opened
    opened.close()


def publish(store, *bars, **options):
    return store.publish([Batch(bars, **options)])[0]


def test_new_equal_and_other_values(store):
    assert publish(store, bar(1), bar(2)).stored == 2
    again = publish(store, bar(2), bar(1))
    assert (again.stored, again.duplicates, again.rejections) == (0, 2, [])
    for other in (bar(1, 11.0), bar(2, 11.0)):
        ((_, _, error),) = publish(store, other).rejections
        assert isinstance(error, AlreadyExists)
        assert error.reason == "BAR_CONFLICT"
    assert [b.close for b in store.list_bars(KEY, 0, 9 * DAY, 10)] == [10.0, 10.0]


def test_an_older_bar_needs_backfill_and_makes_no_signal(store):
    assert publish(store, bar(5)).closed == [(KEY, 5 * DAY)]
    ((index, symbol, error),) = publish(store, bar(3)).rejections
    assert (index, symbol, error.reason) == (0, "A", "BAR_OUT_OF_ORDER")
    report = publish(store, bar(3), bar(6), mode=BatchMode.BACKFILL)
    assert (report.stored, report.closed) == (2, [])
    assert store.unsignaled(KEY, 0) == [5 * DAY]
    np.testing.assert_array_equal(store.until(KEY, 9 * DAY, 10)[0], np.array([3, 5, 6]) * DAY)


def test_one_bad_bar_does_not_stop_the_others(store):
    report = publish(store, bar(1), bar(2, high=1.0), bar(3))
    assert report.stored == 2
    assert [index for index, _, _ in report.rejections] == [1]
    assert isinstance(report.rejections[0][2], InvalidArgument)


def test_time_going_back_within_a_batch_is_rejected(store):
    report = publish(store, bar(2), bar(1))
    assert report.stored == 1
    assert report.rejections[0][2].reason == "BAR_OUT_OF_ORDER"


def test_a_halted_day_is_kept_and_never_fed(store):
    halted = bar(2, open=0.0, high=0.0, low=0.0, volume=0.0)
    report = publish(store, bar(1), halted, bar(3))
    assert (report.stored, report.halted) == (3, 1)
    assert report.closed == [(KEY, 1 * DAY), (KEY, 3 * DAY)]
    np.testing.assert_array_equal(store.until(KEY, 9 * DAY, 10)[0], np.array([1, 3]) * DAY)
    assert [b.halted for b in store.list_bars(KEY, 0, 9 * DAY, 10)] == [False, True, False]


@pytest.mark.parametrize("capacity", [1, 300])
def test_a_bar_without_trades_is_kept_and_never_fed(store, capacity):
    """Also not from disk, where older bars are read."""
    last = 3 + capacity
    empty = bar(2, open=10.0, high=10.0, low=10.0, volume=0.0)
    report = publish(store, bar(1), empty, *(bar(day) for day in range(3, last)))
    assert (report.stored, report.halted) == (last - 1, 0)
    assert (KEY, 2 * DAY) not in report.closed
    expected = np.array([1, *range(3, last)]) * DAY
    np.testing.assert_array_equal(store.until(KEY, last * DAY, 2 * last)[0], expected)
    np.testing.assert_array_equal(store.since(KEY, 2 * DAY, 1)[0], [3 * DAY])
    assert store.unusable_between(KEY, DAY, 3 * DAY) == 1
    assert store.unsignaled(KEY, DAY) == [day * DAY for day in range(3, last)]
    assert [b.close_time for b in store.list_bars(KEY, 0, 3 * DAY, 10)] == [DAY, 2 * DAY, 3 * DAY]


def test_provisional_bars_are_replaced_forgotten_and_never_signaled(store, tmp_path):
    publish(store, bar(1))
    for close in (10.0, 12.0):
        report = publish(store, bar(2, close, provisional=True))
        assert (report.provisional, report.stored, report.closed) == (1, 0, [])
    assert store.list_bars(KEY, 0, 9 * DAY, 10)[-1] == bar(2, 12.0, provisional=True)
    publish(store, bar(2, 11.0))
    assert [b.provisional for b in store.list_bars(KEY, 0, 9 * DAY, 10)] == [False, False]
    assert publish(store, bar(2, provisional=True)).rejections[0][2].reason == "BAR_OUT_OF_ORDER"


def test_an_older_provisional_bar_does_not_replace_a_newer_one(store):
    publish(store, bar(1))
    publish(store, bar(3, provisional=True))
    report = publish(store, bar(2, provisional=True))
    assert report.provisional == 0
    assert "before the newest provisional bar" in report.rejections[0][2].violations[0].rule
    assert store.list_bars(KEY, 0, 9 * DAY, 10)[-1].close_time == 3 * DAY
    assert publish(store, bar(3, 12.0, provisional=True)).provisional == 1
    assert publish(store, bar(2), bar(4, provisional=True)).stored == 1


def test_everything_reported_as_stored_is_there_after_reopening(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    publish(
        store, *(bar(day, 10 + day / 100) for day in range(1, 301)), instruments=[Instrument("A", "Name")]
    )
    store.close()
    store = BarStore(tmp_path / "bars.sqlite")
    assert len(store.list_bars(KEY, 0, 999 * DAY, 1000)) == 300
    assert store.last_close(KEY) == 300 * DAY
    assert store.instruments["A"].name == "Name"
    assert publish(store, bar(300, 13.0)).duplicates == 1
    store.close()


def test_a_store_of_another_version_is_refused_and_left_as_it_is(tmp_path):
    BarStore(tmp_path / "bars.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "bars.sqlite")) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(DataLoss, match=r"bars\.sqlite: format 9, expected 1"):
        BarStore(tmp_path / "bars.sqlite")
    with closing(sqlite3.connect(tmp_path / "bars.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (9,)


def test_windows_reach_from_memory_to_disk(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    publish(store, *(bar(day, 10 + day / 100) for day in range(1, 601)))
    for at in (600, 599, 400, 130, 90):
        expected = np.arange(at - 79, at + 1) * DAY
        np.testing.assert_array_equal(store.until(KEY, at * DAY, 80)[0], expected)
    store.close()


def test_the_previous_session_of_minute_bars_ends_the_day_before(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    minute = 60_000_000
    times = [9 * 60 * minute + n * minute for n in (1, 2)] + [
        DAY + 9 * 60 * minute + n * minute for n in (1, 2)
    ]
    bars = [replace(bar(1, 10.0 + n), interval="1m", close_time=t) for n, t in enumerate(times)]
    publish(store, *bars)
    assert store.previous_session_close(("A", "1m"), times[3]) == 11.0
    assert store.previous_session_close(("A", "1m"), times[0]) is None
    store.close()


def test_a_forming_bar_ends_with_its_final_in_one_transaction(store):
    store.publish([Batch([bar(2, provisional=True)]), Batch([bar(2)])])
    assert [b.provisional for b in store.list_bars(KEY, 0, 9 * DAY, 10)] == [False]


@pytest.mark.parametrize("mode", [BatchMode.FINAL, BatchMode.BACKFILL])
def test_a_final_bar_that_has_not_closed_is_rejected_with_the_skew(store, mode):
    now = 3 * DAY - 4 * 3600 * SECOND
    report = store.publish([Batch([bar(2), bar(3)], mode=mode)], now=now)[0]
    assert report.stored == 1
    error = report.rejections[0][2]
    assert error.reason == "BAR_NOT_CLOSED"
    assert "has not closed yet: closes in 4 h, tolerance 5 s" in error.violations[0].rule
    assert publish(store, bar(3)).stored == 1, "once it has closed"


def test_a_clock_may_be_seconds_ahead(store):
    assert store.publish([Batch([bar(1)])], now=DAY - 5 * SECOND)[0].stored == 1
    late = store.publish([Batch([bar(2)])], now=2 * DAY - 61 * SECOND)[0]
    assert "closes in 1 min 1 s" in late.rejections[0][2].message


def test_a_provisional_bar_closes_at_most_one_interval_ahead(store):
    now = 3 * DAY - 4 * 3600 * SECOND
    given = [bar(3, provisional=True), bar(5, provisional=True)]
    report = store.publish([Batch(given)], now=now)[0]
    assert report.provisional == 1
    assert "one interval after market time" in report.rejections[0][2].violations[0].rule


def test_only_the_signaled_interval_is_ever_signaled(tmp_path):
    store = BarStore(tmp_path / "b", "1h")
    assert publish(store, bar(1)).closed == []
    hourly = replace(bar(1), interval="1h")
    assert publish(store, hourly).closed == [(("A", "1h"), DAY)]
    assert store.unsignaled(KEY, 0) == []
    store.close()


def test_a_trading_day_has_one_daily_bar(store):
    hour = DAY // 24
    described = [Instrument("A", time_zone="America/New_York")]
    closes = [replace(bar(n), close_time=n * DAY + 21 * hour) for n in range(1, 6)]
    assert publish(store, *closes, instruments=described).stored == 5
    for other in (20 * hour, 5 * hour):
        doubled = [replace(b, close_time=b.close_time - 21 * hour + other) for b in closes]
        report = publish(store, *doubled, mode=BatchMode.BACKFILL)
        assert report.stored == 0
        assert {e.reason for _, _, e in report.rejections} == {"BAR_CONFLICT"}
    assert publish(store, replace(bar(6), close_time=6 * DAY + 21 * hour)).stored == 1
    assert publish(store, replace(bar(6), close_time=6 * DAY + 22 * hour)).stored == 0


def test_a_full_disk_stores_nothing_and_reading_goes_on(store):
    publish(store, bar(1))
    with file_size_limit(1 << 16), pytest.raises(ResourceExhausted) as caught:
        publish(store, *(bar(day) for day in range(2, 2000)))
    assert caught.value.retry_after
    assert len(store.list_bars(KEY, 0, 9999 * DAY, 9999)) == 1
    assert store.last_close(KEY) == DAY
    assert publish(store, bar(2)).stored == 1


def test_a_close_off_by_an_order_of_magnitude_is_rejected_unless_backfilled(store):
    publish(store, bar(1, 10.0))
    for close in (80.0, 1.25):
        ((_, _, error),) = publish(store, bar(2, close, low=close / 2, high=close * 2)).rejections
        assert (error.reason, error.violations[0].field) == ("BAR_INVALID", "close")
        assert "within a factor of 8 of the close before (10)" in error.message
        assert "BAR_MODE_BACKFILL if it is right" in error.message
    assert publish(store, bar(2, 79.0)).stored == 1
    ((index, _, _),) = publish(store, bar(3, 80.0), bar(4, 800.0), bar(5, 81.0)).rejections
    assert index == 1
    assert publish(store, bar(6, 800.0), mode=BatchMode.BACKFILL).stored == 1
    assert publish(store, bar(7, 801.0)).closed == [(KEY, 7 * DAY)]


def test_a_few_steps_of_a_small_price_halted_and_provisional_bars_pass(store):
    step = Instrument("A", price_decimals=4)
    values = {"open": 0.001, "high": 0.001, "low": 0.0001, "close": 0.0001}
    assert publish(store, bar(1, **{**values, "close": 0.001}), instruments=[step]).stored == 1
    assert publish(store, bar(2, **values)).stored == 1
    assert publish(store, bar(3, 40.0, open=0.0, high=0.0, low=0.0)).halted == 1
    assert publish(store, bar(4, 900.0, provisional=True)).provisional == 1
