from dataclasses import replace

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.times import DAY
from glasstape_server.market.bar_reader import BarReader, reading_bars
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore

KEY = ("A", "1d")
EVER = (0, 100 * DAY)


def bar(day, **changes):
    return replace(Bar("A", "1d", day * DAY, 10.0, 11.0, 9.0, 10.0 + day / 100, 5.0), **changes)


@pytest.fixture
def opened(tmp_path):
    """A store of days 1-9, of which day 4 is halted, and a reader of it."""
    store = BarStore(tmp_path / "bars.sqlite")
    halted = bar(4, open=0.0, high=0.0, low=0.0, close=10.0, volume=0.0)
    store.publish([Batch([*(bar(day) for day in (1, 2, 3)), halted, *(bar(day) for day in range(5, 10))])])
    reader = BarReader(store.path)
    yield store, reader
    reader.close()
    store.close()


def test_bars_of_a_range_are_counted_without_halted_ones(opened):
    _, reader = opened
    assert reader.count(KEY, *EVER) == 8
    assert reader.count(KEY, 3 * DAY, 5 * DAY) == 2
    assert reader.count(("B", "1d"), *EVER) == 0


@pytest.mark.parametrize("positions", [[0], [7], [0, 1, 2, 3, 4, 5, 6, 7], [2, 3], [1, 5, 6], []])
def test_closes_are_found_by_their_position(opened, positions):
    _, reader = opened
    days = [1, 2, 3, 5, 6, 7, 8, 9]
    assert reader.closes(KEY, *EVER, positions) == [days[position] * DAY for position in positions]


def test_positions_count_from_the_first_bar_of_the_range(opened):
    _, reader = opened
    assert reader.closes(KEY, 3 * DAY, 8 * DAY, [1, 2]) == [5 * DAY, 6 * DAY]


def test_bars_that_were_removed_meanwhile_are_left_out(opened):
    store, reader = opened
    store.remove_bars(KEY, 8 * DAY, 9 * DAY, 10 * DAY)
    assert reader.closes(KEY, *EVER, [4, 5, 6, 7]) == [6 * DAY, 7 * DAY]


def test_bars_around_a_close_are_those_of_the_store(opened):
    store, reader = opened
    before, after = reader.around(KEY, 5 * DAY, 3, 2)
    np.testing.assert_array_equal(before, store.until(KEY, 5 * DAY, 3))
    np.testing.assert_array_equal(after, store.since(KEY, 6 * DAY, 2))
    before, after = reader.around(KEY, 1 * DAY, 3, 90)
    assert (before.shape, after.shape) == ((6, 1), (6, 7))


def test_a_reader_sees_what_is_committed_later(opened):
    store, reader = opened
    store.publish([Batch([bar(10)], mode=BatchMode.BACKFILL)])
    assert reader.count(KEY, *EVER) == 9


def test_a_database_that_is_gone_is_named(tmp_path):
    with pytest.raises(
        Unavailable, match=f"bars cannot be read now: {tmp_path / 'gone.sqlite'}: unable to open"
    ):
        reading_bars(tmp_path / "gone.sqlite").__enter__()
    assert not list(tmp_path.iterdir())
