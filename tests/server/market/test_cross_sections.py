"""Closes: who belongs to one, when it is complete, and what later bars cannot change."""

import numpy as np
import pytest
from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.features.compute import values_to_rank
from glasstape_server.features.cross_section import rank_within
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.market.draft import Batch, BatchMode
from ranked_market import BARS, NOON, RANKED, SPEC, SYMBOLS, Market, at, bar


@pytest.fixture
def market(tmp_path):
    return Market(tmp_path / "bars.sqlite")


def test_ranks_are_those_of_all_symbols_of_each_close(market):
    windows = market.windows(SYMBOLS)
    _, series = market.stacked(SYMBOLS)
    values = values_to_rank(SPEC, series)
    for step in range(1, SPEC.window_bars + 1):
        expected = rank_within(np.zeros(5, np.int64), values[:, -step])
        np.testing.assert_array_equal(windows[:, -step, RANKED], expected)
    np.testing.assert_array_equal(market.windows(("D",))[0], windows[3])


def test_a_close_is_complete_when_every_symbol_of_the_close_before_has_closed(market):
    assert market.sections.is_complete("1d", at(BARS - 1))
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    assert not market.sections.is_complete("1d", at(BARS))
    assert market.missing("AB") == [1, 1]
    market.publish([bar("E", BARS)])
    assert market.sections.is_complete("1d", at(BARS))
    assert market.missing("AB") == [0, 0]


def test_a_symbol_that_ends_is_awaited_once(market):
    for number in range(BARS, BARS + 8):
        market.publish([bar(symbol, number) for symbol in "ABCD"])
        assert market.sections.is_complete("1d", at(number)) == (number > BARS)
        market.seal("ABCD")
        assert market.missing("A") == [int(number < BARS + SPEC.window_bars)]


def test_symbols_that_are_published_one_after_the_other_are_marked(tmp_path):
    market = Market(tmp_path / "bars.sqlite")
    for symbol in ("P", "Q"):
        for number in range(BARS):
            market.publish([bar(symbol, number, NOON)])
            market.sections.seal(SPEC, "1d", market.store.stack([(symbol, "1d")], [
                market.store.until((symbol, "1d"), at(number) + NOON, 1)
            ]))  # fmt: skip
    assert market.missing("PQ") == [0, 1]
    assert (market.windows("P")[0, :, RANKED] == 0).all(), "alone when its closes were ranked"
    assert (np.abs(market.windows("Q")[0, :, RANKED]) == 0.5).all()


def test_a_market_with_other_closing_times_is_not_awaited(market):
    others = ("X", "Y")
    market.publish([bar(symbol, n, NOON) for symbol in others for n in range(BARS)], BatchMode.BACKFILL)
    market.publish([bar(symbol, BARS) for symbol in SYMBOLS])
    assert market.sections.is_complete("1d", at(BARS))
    market.publish([bar("X", BARS, NOON)])
    assert not market.sections.is_complete("1d", at(BARS) + NOON)


def test_a_halted_symbol_has_closed_and_is_not_ranked(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    before = market.windows("ABCD")
    market.publish([Bar("E", "1d", at(BARS), 0, 0, 0, 9.0, 0)])
    assert market.sections.is_complete("1d", at(BARS))
    np.testing.assert_array_equal(market.windows("ABCD"), before)
    market.seal("ABCD")
    market.publish([bar("E", BARS)], BatchMode.REPLACE)
    np.testing.assert_array_equal(market.windows("ABCD"), before)


@pytest.mark.parametrize("reopen", [False, True])
@pytest.mark.parametrize("mode", [BatchMode.FINAL, BatchMode.BACKFILL])
def test_bars_after_the_seal_change_no_window_of_others(market, mode, reopen):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.seal("ABCD")
    before = market.windows("ABCD")
    market.publish([bar("E", BARS)], mode)
    market.publish([bar("NEW", n) for n in range(BARS + 1)], BatchMode.BACKFILL)
    if reopen:
        market.store.close()
        market.open()
    np.testing.assert_array_equal(market.windows("ABCD"), before)
    assert market.missing("ABCDE") == [1, 1, 1, 1, 2], "E and NEW are late"
    _, series = market.stacked("ABCDE")
    expected = rank_within(np.zeros(5, np.int64), values_to_rank(SPEC, series)[:, -1])
    np.testing.assert_array_equal(market.windows("E")[0, -1, RANKED], expected[4])


def test_a_bar_filled_in_before_a_sealed_close_changes_no_rank_of_others(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.seal("ABCD")
    market.publish([bar(symbol, BARS + 1) for symbol in SYMBOLS])
    market.seal(SYMBOLS)
    before = market.windows("ABCD")
    market.publish([bar("E", BARS)], BatchMode.BACKFILL)
    np.testing.assert_array_equal(market.windows("ABCD"), before)
    market.publish([bar(symbol, BARS + 2) for symbol in SYMBOLS])
    market.seal(SYMBOLS)
    np.testing.assert_array_equal(market.windows("ABCD")[:, :-1], before[:, 1:])
    _, series = market.stacked(SYMBOLS)
    newest = rank_within(np.zeros(5, np.int64), values_to_rank(SPEC, series)[:, -1])
    np.testing.assert_array_equal(market.windows(SYMBOLS)[:, -1, RANKED], newest)


def test_bars_of_a_market_that_is_delayed_belong_to_their_own_close(market):
    others = ("X", "Y")
    market.publish([bar(symbol, n, NOON) for symbol in others for n in range(BARS)], BatchMode.BACKFILL)
    market.publish([bar(symbol, BARS + 1) for symbol in SYMBOLS])
    market.seal(SYMBOLS)
    market.publish([bar(symbol, BARS, NOON) for symbol in others])
    market.seal(others)
    ranks = market.windows(others)[:, -1, RANKED]
    assert sorted(ranks[:, 0].tolist()) == [-0.5, 0.5]
    assert market.missing(others) == [0, 0]


def test_a_renamed_symbol_stays_late(market):
    market.publish([bar(symbol, BARS) for symbol in "ABCD"])
    market.seal("ABCD")
    before = market.windows("ABCD")
    market.publish([bar("E", BARS)])
    market.store.rename_symbol("E", "Z", at(BARS))
    market.sections.forget(corrected=True)
    np.testing.assert_array_equal(market.windows("ABCD"), before)


def test_a_store_without_ranked_models_notes_nothing(market):
    market.publish([bar(symbol, BARS) for symbol in SYMBOLS])
    market.sections.seal(FeatureSpec(), "1d", market.stacked(SYMBOLS)[1])
    assert market.store.closes.missing_symbols("1d", at(BARS)) is None
    market.publish([bar("OLD", n) for n in range(80)], BatchMode.BACKFILL)
    assert market.store.closes.late_bars("1d", at(79)) == {}


def test_zones_of_instruments_reach_the_windows(tmp_path):
    market = Market(tmp_path / "bars.sqlite")
    seoul = Instrument("A", time_zone="Asia/Seoul")
    market.store.publish([Batch((), (seoul,))])
    minute = SPEC.names.index("minute_of_day")
    assert market.windows("A")[0, -1, minute] == np.float32(9 * 60 / 720 - 1)
    assert market.windows("B")[0, -1, minute] == 1.0
