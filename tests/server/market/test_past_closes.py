"""Ranks of stored closes are those that serving states, whenever they are read."""

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import DeadlineExceeded
from glasstape_server.features.windows import latest_windows
from glasstape_server.market.bar_reader import reading_bars
from glasstape_server.market.draft import BatchMode
from glasstape_server.market.past_closes import PastCloses
from ranked_market import BARS, NOON, SPEC, SYMBOLS, Market, bar


@pytest.fixture
def market(tmp_path):
    return Market(tmp_path / "bars.sqlite")


def past_windows(market, symbols, numbers, call=None):
    """Return the windows of symbols that end at some bars, (bar, symbol, time, feature), all read at once."""
    every = market.store.series_keys("1d")
    zones = dict.fromkeys((symbol for symbol, _ in every), "UTC")
    with reading_bars(market.path) as reader:
        closes = PastCloses(reader, SPEC, every, zones, call or Call())
        keys = [(symbol, "1d") for symbol in symbols]
        stacks = [market.stacked(symbols, number)[1] for number in numbers]
        return np.stack([latest_windows(SPEC, series, closes.ranks(keys))[0] for series in stacks])


def served_windows(market, symbols, numbers):
    return np.stack([market.windows(symbols, number) for number in numbers])


def agree(market, symbols, numbers):
    np.testing.assert_array_equal(
        past_windows(market, symbols, numbers), served_windows(market, symbols, numbers)
    )


@pytest.mark.parametrize("numbers", [range(80, BARS), [99, 80, 90], [SPEC.min_bars - 1]])
def test_windows_are_those_of_serving(market, numbers):
    market.publish([bar("SHORT", n) for n in range(70, BARS)], BatchMode.BACKFILL)
    agree(market, SYMBOLS, numbers)


def test_symbols_of_another_closing_time_are_not_ranked_with_these(market):
    market.publish([bar(symbol, n, NOON) for symbol in "XY" for n in range(BARS)], BatchMode.BACKFILL)
    agree(market, SYMBOLS, [90, BARS - 1])


def test_a_halted_symbol_is_not_ranked(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.publish([Bar("E", "1d", bar("E", BARS).close_time, 0, 0, 0, 9.0, 0)])
    agree(market, "ABCD", [BARS])


def test_bars_after_the_seal_change_no_window_of_others(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.seal("ABCD")
    before = past_windows(market, "ABCD", [BARS])
    market.publish([bar("E", BARS)])
    market.publish([bar("NEW", n) for n in range(BARS + 1)], BatchMode.BACKFILL)
    np.testing.assert_array_equal(past_windows(market, "ABCD", [BARS]), before)
    agree(market, SYMBOLS, [BARS - 1, BARS])


def test_a_bar_filled_in_before_a_sealed_close_changes_no_rank_of_others(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.seal("ABCD")
    market.publish([bar(symbol, BARS + 1) for symbol in SYMBOLS])
    market.seal(SYMBOLS)
    market.publish([bar("E", BARS)], BatchMode.BACKFILL)
    agree(market, SYMBOLS, [BARS, BARS + 1])


def test_reading_ends_with_the_call(market):
    call = Call()
    call.canceled = True
    with pytest.raises(DeadlineExceeded):
        past_windows(market, SYMBOLS, [BARS - 1], call)
