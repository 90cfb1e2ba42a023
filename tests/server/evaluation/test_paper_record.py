"""A paper book over scores: it agrees with a recomputation, and trades only what could be traded, when it could be."""

import numpy as np
import polars as pl
import pytest
from glasstape_server.domain.book_rule import BookRule
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.paper_record import paper_record
from glasstape_server.market.trading_costs import MarketCosts, read_costs
from recomputed_book import equity_of

START = 17_950
"""Day 2019-02-23: the Korean tax on sells changes during the record."""
FREE = read_costs("free")


def frame(table, value):
    """Rows of a table (close, symbol) that are not NaN, a close each day."""
    close, symbol = np.nonzero(~np.isnan(table))
    return pl.DataFrame({"symbol": [f"S{each:02d}" for each in symbol],
                         "close_time": (START + close) * DAY + DAY // 4, value: table[close, symbol]})  # fmt: skip


def market(seed=0, closes=300, symbols=12, missing=0.1):
    """Prices and scores (close, symbol), with bars and scores missing at random."""
    random = np.random.default_rng(seed)
    prices = 100 * np.exp(random.normal(0, 0.02, (closes, symbols)).cumsum(axis=0))
    prices[random.random(prices.shape) < missing] = np.nan
    scores = random.normal(size=prices.shape)
    scores[np.isnan(prices) | (random.random(prices.shape) < missing)] = np.nan
    prices[[0, -1]], scores[[0, -1]] = 100, random.normal(size=(2, symbols))
    return prices, scores


def record(prices, scores, rule, costs=FREE):
    return paper_record(frame(prices, "close"), frame(scores, "score"), rule, costs, "1d")


@pytest.mark.parametrize(("top", "every"), [(3, 1), (5, 4)])
def test_equity_turnover_and_costs_agree_with_a_recomputation(top, every):
    prices, scores = market()
    rates = {"commission": 0.001, "half_spread": 0.002, "price_limit": 0.0}
    found = record(prices, scores, BookRule(top=top, every=every), read_costs("kr").with_rates(rates))
    tax = np.where(START + np.arange(len(prices)) < 18_046, 0.0030, 0.0025)  # 2019-05-30
    buy, sell = np.full(len(prices), 0.003), 0.003 + tax
    equity, traded, costs = equity_of(prices, scores, top, every, buy, sell)
    np.testing.assert_allclose(found.curve.equity, equity, rtol=1e-10)
    np.testing.assert_allclose(found.curve.traded, traded, atol=1e-10)
    np.testing.assert_allclose(found.curve.costs, costs, atol=1e-12)
    assert costs.sum() > 0.1


@pytest.mark.parametrize(
    "rule", [BookRule(top=3), BookRule(top=3, short=True, keep=5), BookRule(threshold=0.5, every=3)]
)
def test_the_future_changes_nothing(rule):
    prices, scores = market(seed=1)
    before = record(prices, scores, rule, read_costs("kr"))
    cut = 150
    random = np.random.default_rng(9)
    prices[cut:] *= np.exp(random.normal(0, 0.1, prices[cut:].shape))
    scores[cut:] = np.where(np.isnan(scores[cut:]), np.nan, random.normal(size=scores[cut:].shape))
    after = record(prices, scores, rule, read_costs("kr"))
    for name in ("equity", "benchmark", "traded", "costs"):
        own, other = getattr(before.curve, name), getattr(after.curve, name)
        np.testing.assert_array_equal(own[:cut], other[:cut])
    assert not np.allclose(before.curve.equity[cut:], after.curve.equity[cut:])


def test_the_close_that_made_a_signal_cannot_be_traded():
    # The score knows the return up to its own close, and that up to the next one: neither can be earned.
    prices, _ = market(seed=2, missing=0.0)
    returns = np.vstack([np.zeros(12), np.diff(np.log(prices), axis=0)])
    next_returns = np.vstack([returns[1:], np.zeros(12)])
    after_next = np.vstack([next_returns[1:], np.zeros(12)])
    for scores, earns in ((returns, False), (next_returns, False), (after_next, True)):
        total = record(prices, scores, BookRule(top=2)).curve.equity[-1]
        assert (total > 10) == earns


def test_a_symbol_without_trades_is_not_traded_until_it_has_some():
    prices = np.full((6, 3), 100.0)
    scores = np.tile([3.0, 2.0, 1.0], (6, 1))
    scores[2:, 0] = -1.0  # the best symbol is to be sold at close 3, and halts until close 5
    prices[3:5, 0] = scores[3:5, 0] = np.nan
    prices[5, 0] = 50.0
    curve = record(prices, scores, BookRule(top=1)).curve
    np.testing.assert_allclose(curve.equity, [1, 1, 1, 1, 1, 0.5])
    np.testing.assert_allclose(curve.traded, [0, 1, 0, 0, 0, 1])  # sold, and the other bought, once it trades
    assert record(prices, scores, BookRule(top=1)).unfilled == 2


def test_a_held_symbol_without_trades_takes_a_place():
    prices = np.full((4, 3), 100.0)
    scores = np.tile([3.0, 2.0, 1.0], (4, 1))
    prices[2, 0] = scores[2, 0] = np.nan
    curve = record(prices, scores, BookRule(top=2)).curve
    np.testing.assert_array_equal(curve.positions, [0, 2, 2, 2])
    np.testing.assert_allclose(curve.traded, [0, 1, 0, 0])


def test_symbols_that_end_do_so_at_their_last_price_and_are_counted():
    prices = np.full((60, 3), 100.0)
    scores = np.tile([3.0, 2.0, 1.0], (60, 1))
    prices[9, 0] = 80.0
    prices[10:, 0] = np.nan
    scores[8:, 0] = np.nan  # predictions without an outcome are not saved
    found = record(prices, scores, BookRule(top=1), FREE.with_rates({"sell_tax": 0.01}))
    assert found.ended == ("S00",)
    np.testing.assert_allclose(found.curve.equity[9:12], [0.8, 0.792, 0.792])
    assert found.curve.positions[-1] == 1  # the next best was bought with what was left


def test_closes_at_the_price_limit_cannot_be_traded():
    prices = np.full((6, 2), 100.0)
    prices[1:, 0] = 129.6  # limit up where the buy would be filled: at the next close it is
    prices[4:, 0] = 91.0  # limit down where the sell would be
    scores = np.tile([1.0, 0.0], (6, 1))
    scores[3:, 0] = -1.0
    limited = FREE.with_rates({"price_limit": 0.3})
    found = record(prices, scores, BookRule(top=1), limited)
    np.testing.assert_allclose(found.curve.equity, [1, 1, 1, 1, 91 / 129.6, 91 / 129.6])
    assert found.at_limit == 2
    free = record(prices, scores, BookRule(top=1))
    np.testing.assert_allclose(free.curve.equity[-1], 91 / 129.6)
    assert free.at_limit == 0
    assert free.curve.positions[1] == 1


def test_the_benchmark_is_the_equal_weighted_universe_with_the_same_fills():
    prices, scores = market(seed=3, missing=0.0)
    returns = np.diff(prices, axis=0) / prices[:-1]
    curve = record(prices, scores, BookRule(top=2), read_costs("crypto")).curve
    assert curve.benchmark[:2].tolist() == [1, 1]
    expected = np.cumprod(1 + returns[1:].mean(axis=1))
    # Units are those of the close before the fill, so that weights are equal but for one day's moves.
    np.testing.assert_allclose(curve.benchmark[2:], expected, rtol=0.02)


def test_scores_without_a_bar_are_counted_and_none_with_one_is_an_error():
    prices, scores = market(seed=4)
    extra = pl.DataFrame({"symbol": ["S00"], "close_time": [5], "score": [1.0]})
    bars, stated = frame(prices, "close"), frame(scores, "score")
    found = paper_record(bars, pl.concat([stated, extra]), BookRule(top=2), FREE, "1d")
    assert found.unpriced == 1
    assert found.scored == stated.height
    with pytest.raises(ValueError, match=r"scores: none of 1 has a bar.* the first is of S00 at 1970-01-01"):
        paper_record(bars, extra, BookRule(top=2), FREE, "1d")
    with pytest.raises(ValueError, match="scores: there are none"):
        paper_record(bars, extra.clear(), BookRule(top=2), FREE, "1d")
    with pytest.raises(ValueError, match="scores: all are of one close"):
        paper_record(
            bars, stated.filter(pl.col("close_time") == stated["close_time"][0]), BookRule(top=2), FREE, "1d"
        )


def test_a_short_book_that_loses_its_capital_is_an_error():
    prices = np.full((5, 2), 100.0)
    prices[2:, 1] = 100_000.0
    with pytest.raises(ValueError, match="--short: the losses"):
        record(prices, np.tile([1.0, 0.0], (5, 1)), BookRule(top=1, short=True))


def test_borrowing_is_charged_by_time():
    prices, scores = np.full((11, 2), 100.0), np.tile([1.0, 0.0], (11, 1))
    curve = record(prices, scores, BookRule(top=1, short=True), MarketCosts("x", "x", "UTC").with_rates(
        {"borrow": 0.365})).curve  # fmt: skip
    np.testing.assert_allclose(curve.borrow[:3], [0, 0, 0.5 * 0.001])
    np.testing.assert_allclose([curve.long[1], curve.short[1]], 0.5)
