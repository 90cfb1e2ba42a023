"""Replaced, removed and renamed: what is stored then, what is remembered of it, and what follows."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from full_disk import file_size_limit
from glasstape_server.domain.bars import Bar, DataState, Instrument
from glasstape_server.domain.errors import AlreadyExists, NotFound, ResourceExhausted, Unavailable
from glasstape_server.domain.times import DAY, HOUR
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.clock import Clock
from glasstape_server.market.corrections import CorrectionKind
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore
from made_up import columns

KEY = ("A", "1d")
EVER = 1 << 52


def bar(day, close=10.0, **changes):
    return replace(Bar("A", "1d", day * DAY, close, close + 1, close - 1, close, 5.0), **changes)


@pytest.fixture
def store(tmp_path):
    opened = BarStore(tmp_path / "bars.sqlite")
    yield opened
    opened.close()


def publish(store, *bars, **options):
    return store.publish([Batch(bars, **options)])[0]


def replace_bars(store, *bars):
    return publish(store, *bars, mode=BatchMode.REPLACE)


def days(store, key=KEY):
    return [stored.close_time // DAY for stored in store.list_bars(key, 0, EVER, 999)]


def journal(store, symbol=""):
    return [(each.kind.name, each.bar) for each in store.list_corrections(symbol, 0, 999)]


def test_a_correction_replaces_the_values_and_keeps_the_old_ones(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    publish(store, *(bar(day, 10 + day / 100) for day in range(1, 201)))
    batch = Batch([bar(5, 99.0), bar(200, 98.0)], mode=BatchMode.REPLACE, principal="desk")
    report = store.publish([batch], now=300 * DAY)[0]
    assert (report.replaced, report.stored, report.closed, report.rejections) == (2, 0, [], [])
    for _ in range(2):  # from memory, and after reopening
        assert store.list_bars(KEY, 5 * DAY, 5 * DAY, 1) == [bar(5, 99.0)]
        assert store.until(KEY, 200 * DAY, 1)[4].tolist() == [98.0]
        entries = store.list_corrections("A", 0, 9)
        assert [entry.bar for entry in entries] == [bar(5, 10.05), bar(200, 12.0)]
        assert {(e.kind, e.time, e.principal, e.symbol) for e in entries} == {
            (CorrectionKind.REPLACED, 300 * DAY, "desk", "A")
        }
        assert store.list_corrections("A", entries[0].number, 9) == entries[1:]
        store.close()
        store = BarStore(tmp_path / "bars.sqlite")
    store.close()


def test_a_bar_that_waits_for_its_signal_still_waits_after_a_correction(store):
    publish(store, bar(1), bar(2))
    before = store.unsignaled(KEY, 0)
    replace_bars(store, bar(2, 11.0))
    assert store.unsignaled(KEY, 0) == before == [1 * DAY, 2 * DAY]


def test_corrections_of_nothing_of_provisional_bars_and_of_equal_values(store):
    publish(store, bar(1))
    report = replace_bars(store, bar(1), bar(2), bar(1, 12.0, provisional=True))
    assert (report.duplicates, report.replaced) == (1, 0)
    assert [(index, error.reason) for index, _, error in report.rejections] == [
        (1, "BAR_NOT_FOUND"),
        (2, "BAR_INVALID"),
    ]
    assert journal(store) == []


def test_a_bar_and_its_correction_in_one_transaction(store):
    stored, corrected = store.publish([Batch([bar(1)]), Batch([bar(1, 12.0)], mode=BatchMode.REPLACE)])
    assert (stored.stored, corrected.replaced) == (1, 1)
    assert store.list_bars(KEY, 0, DAY, 1) == [bar(1, 12.0)]


def test_a_conflict_names_the_way_to_replace_the_bar(store):
    publish(store, bar(1))
    ((_, _, error),) = publish(store, bar(1, 11.0)).rejections
    assert "BAR_MODE_REPLACE (`glasstape bars replace`)" in error.message


def test_a_history_divided_after_a_split_gives_the_windows_of_a_new_store(tmp_path):
    values = columns(400)
    before = [Bar("A", "1d", n * DAY, *values[:, n].tolist()) for n in range(1, 400)]
    after = [Bar("A", "1d", n * DAY, *(values[:4, n] / 5).tolist(), values[4, n] * 5) for n in range(1, 400)]
    corrected, fresh = BarStore(tmp_path / "old"), BarStore(tmp_path / "new")
    publish(corrected, *before)
    publish(fresh, *after)
    for first in range(0, 399, 100):
        part = after[first : first + 100]
        assert replace_bars(corrected, *part).replaced == len(part)
    spec = FeatureSpec()
    for last in (399, 250, 90):
        ours, theirs = (each.until(KEY, last * DAY, spec.min_bars) for each in (corrected, fresh))
        np.testing.assert_array_equal(ours, theirs)
        windows = [latest_windows(spec, each.stack([KEY], [ours])) for each in (corrected, fresh)]
        np.testing.assert_array_equal(windows[0][0], windows[1][0])
    assert len(journal(corrected, "A")) == 399
    corrected.close()
    fresh.close()


def test_removed_bars_are_gone_and_remembered(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    publish(store, *(bar(day) for day in range(1, 301)))
    assert store.remove_bars(KEY, 100 * DAY, 102 * DAY, now=400 * DAY, principal="desk") == 3
    assert store.remove_bars(KEY, 100 * DAY, 102 * DAY, now=400 * DAY) == 0
    assert store.remove_bars(KEY, 300 * DAY, EVER, now=400 * DAY) == 1
    for _ in range(2):  # from memory, and after reopening
        assert days(store) == [*range(1, 100), *range(103, 300)]
        assert store.last_close(KEY) == 299 * DAY
        assert store.until(KEY, 299 * DAY, 250)[0, 0] == 47 * DAY, "reaches over the gap"
        assert journal(store) == [("REMOVED", bar(day)) for day in (100, 101, 102, 300)]
        store.close()
        store = BarStore(tmp_path / "bars.sqlite")
    assert publish(store, bar(300, 12.0)).closed == [(KEY, 300 * DAY)], "the true bar is accepted"
    assert publish(store, bar(101, 12.0), mode=BatchMode.BACKFILL).stored == 1
    store.close()


def test_a_series_without_bars_is_forgotten_and_a_description_stays(store):
    publish(store, bar(1), bar(1, symbol="B"), instruments=[Instrument("B", "Described")])
    for symbol in ("A", "B"):
        assert store.remove_bars((symbol, "1d"), 0, EVER, now=9 * DAY) == 1
    assert store.symbols() == ["B"]
    assert store.series_keys("1d") == []
    assert publish(store, bar(1, 12.0)).stored == 1


def test_a_forming_bar_in_the_range_is_removed(store):
    publish(store, bar(1), bar(2, provisional=True))
    assert store.remove_bars(KEY, 1 * DAY, 1 * DAY, now=9 * DAY) == 1
    assert [each.provisional for each in store.list_bars(KEY, 0, EVER, 9)] == [True]
    assert store.remove_bars(KEY, 1 * DAY, 2 * DAY, now=9 * DAY) == 0
    assert store.list_bars(KEY, 0, EVER, 9) == []


def test_a_renamed_symbol_has_all_bars_and_the_description(tmp_path):
    store = BarStore(tmp_path / "bars.sqlite")
    hourly = bar(1, interval="1h")
    publish(store, *(bar(day) for day in range(1, 6)), hourly, instruments=[Instrument("A", "Name")])
    assert store.rename_symbol("A", "NEW", now=9 * DAY, principal="desk") == 6
    for _ in range(2):  # from memory, and after reopening
        assert store.symbols() == ["NEW"]
        assert store.instruments["NEW"].name == "Name"
        assert days(store, ("NEW", "1d")) == [1, 2, 3, 4, 5]
        assert days(store, ("NEW", "1h")) == [1]
        assert days(store) == []
        assert store.until(("NEW", "1d"), EVER, 9).shape == (6, 5)
        (entry,) = store.list_corrections("NEW", 0, 9)
        assert (entry.kind.name, entry.symbol, entry.new_symbol, entry.bar) == ("RENAMED", "A", "NEW", None)
        assert (entry.time, entry.principal) == (9 * DAY, "desk")
        assert store.unsignaled(("NEW", "1d"), 0) == [], "bars that were signaled are not signaled again"
        store.close()
        store = BarStore(tmp_path / "bars.sqlite")
    assert publish(store, bar(6, symbol="NEW")).closed == [(("NEW", "1d"), 6 * DAY)]
    store.close()


def test_a_renamed_symbol_joins_the_bars_of_the_new_one(store):
    publish(store, bar(1), bar(2), instruments=[Instrument("A", "Old")])
    publish(store, bar(3, symbol="B"), bar(4, symbol="B"), instruments=[Instrument("B", "New")])
    assert store.rename_symbol("A", "B", now=9 * DAY) == 2
    assert days(store, ("B", "1d")) == [1, 2, 3, 4]
    assert store.instruments["B"].name == "New"
    assert store.symbols() == ["B"]


@pytest.mark.parametrize("others", [[2, 3], [1, 5], [3]])
def test_symbols_with_overlapping_bars_are_not_joined(store, others):
    publish(store, bar(1), bar(3, close_time=3 * DAY - HOUR))
    publish(store, *(bar(day, symbol="B", close_time=day * DAY - 2 * HOUR) for day in others))
    with pytest.raises(AlreadyExists, match="'B' has 1d bars that overlap those of 'A'") as caught:
        store.rename_symbol("A", "B", now=9 * DAY)
    assert caught.value.violations[0].field == "new_symbol"
    assert (len(days(store)), len(days(store, ("B", "1d")))) == (2, len(others))
    assert journal(store) == []


def test_an_unknown_symbol_cannot_be_renamed(store):
    with pytest.raises(NotFound, match="symbol: 'A' has neither bars nor a description"):
        store.rename_symbol("A", "B", now=9 * DAY)


def test_a_full_disk_corrects_nothing(store):
    publish(store, *(bar(day) for day in range(1, 2000)))
    with file_size_limit(1 << 16):
        with pytest.raises(ResourceExhausted):
            store.remove_bars(KEY, 0, EVER, now=9 * DAY)
        with pytest.raises(ResourceExhausted):
            store.rename_symbol("A", "B", now=9 * DAY)
    assert len(store.list_bars(KEY, 0, EVER, 9999)) == 1999
    assert store.last_close(KEY) == 1999 * DAY
    assert journal(store) == []


def test_a_journal_of_an_earlier_version_is_read(tmp_path):
    BarStore(tmp_path / "b").close()
    with closing(sqlite3.connect(tmp_path / "b")) as db:
        db.execute("DROP TABLE corrections")
        db.execute(
            "CREATE TABLE corrections (symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL,"
            " corrected_time INTEGER NOT NULL, open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL,"
            " close REAL NOT NULL, volume REAL NOT NULL)"
        )
        db.execute("INSERT INTO corrections VALUES ('A', '1d', ?, ?, 10, 11, 9, 10, 5)", (DAY, 2 * DAY))
        db.commit()
    store = BarStore(tmp_path / "b")
    (entry,) = store.list_corrections("", 0, 9)
    assert (entry.kind, entry.bar, entry.principal) == (CorrectionKind.REPLACED, bar(1), "")
    publish(store, bar(3))
    store.remove_bars(KEY, 0, EVER, now=9 * DAY)
    assert journal(store) == [("REPLACED", bar(1)), ("REMOVED", bar(3))]
    store.close()


def test_decimals_are_learned_again_from_corrected_bars(store):
    whole = [bar(day, 10.0 + day % 3) for day in range(1, 61)]
    publish(store, *whole)
    assert store.instruments["A"].price_decimals == 0
    cents = [bar(day, 10.0 + day % 3 + 0.25) for day in range(1, 61)]
    replace_bars(store, *cents)
    assert store.instruments["A"].price_decimals == 2
    store.rename_symbol("A", "B", now=99 * DAY)
    assert store.instruments["B"].price_decimals == 2
    assert "price_decimals" in store.instruments["B"].learned


async def test_market_data_is_as_fresh_as_the_bars_that_are_left(tmp_path):
    now = 20_000 * DAY
    ingest = Ingest(BarStore(tmp_path / "b"), Clock(wall=lambda: now))
    always = [Instrument(symbol, exchange="24/7") for symbol in ("A", "B")]
    await ingest.publish(Batch([bar(19_990), bar(20_000)], always))
    assert ingest.clock.state() is DataState.LIVE
    assert await ingest.remove_bars(KEY, now, now) == 1
    assert ingest.clock.last_close == 19_990 * DAY
    assert ingest.clock.state() is DataState.STALE
    assert await ingest.rename_symbol("A", "B") == 1
    assert (await ingest.publish(Batch([bar(20_000, symbol="B")]))).stored == 1
    assert ingest.clock.state() is DataState.LIVE
    await ingest.close()


async def test_what_was_learned_of_a_series_is_learned_again_from_what_is_left(tmp_path):
    """A bar on a Sunday, by mistake: without it, the bar after Friday's is due on Monday."""
    friday, sunday = 20_000, 20_002
    ingest = Ingest(BarStore(tmp_path / "b"), Clock(wall=lambda: (sunday + 1) * DAY))
    weekdays = [day for day in range(friday - 27, friday + 1) if (day + 3) % 7 < 5]
    noon = [bar(day, close_time=day * DAY + 12 * HOUR) for day in [*weekdays, sunday]]
    await ingest.publish(Batch(noon, mode=BatchMode.BACKFILL))
    due = ingest.calendars.bars_later
    friday_close = friday * DAY + 12 * HOUR
    assert due(KEY, friday_close + 2 * DAY, 1) == (friday_close + 3 * DAY,)
    assert due(KEY, friday_close, 1) == (friday_close + 2 * DAY,)
    assert await ingest.remove_bars(KEY, sunday * DAY, EVER) == 1
    assert due(KEY, friday_close, 1) == (friday_close + 3 * DAY,)
    await ingest.close()


async def test_a_draining_server_corrects_nothing(tmp_path):
    ingest = Ingest(BarStore(tmp_path / "b"), Clock())
    await ingest.publish(Batch([bar(1)]))
    ingest.refuse()
    with pytest.raises(Unavailable):
        await ingest.remove_bars(KEY, 0, EVER)
    assert days(ingest.store) == [1]
    await ingest.close()
