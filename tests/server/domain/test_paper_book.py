import numpy as np
import pytest
from glasstape_server.domain.paper_book import CostRates, MarketClose, PaperBook

YES, NO = np.ones(2, dtype=bool), np.zeros(2, dtype=bool)
FREE = CostRates()


def close(time, prices, buyable=YES, sellable=YES, ended=NO):
    return MarketClose(time, np.array(prices, dtype=float), buyable, sellable, ended)


def test_an_order_is_filled_at_the_next_close_in_the_units_of_its_own():
    book = PaperBook(2)
    first = close(1, [10, 10])
    book.fill(first, FREE)
    book.place(np.array([0.5, 0.0]), first)
    assert book.equity(first.prices) == book.cash == 1
    fills = book.fill(close(2, [20, 10]), FREE)
    assert fills.bought == 1.0
    np.testing.assert_allclose(book.quantity, [0.05, 0])
    assert book.cash == pytest.approx(0)


def test_buys_take_no_more_than_the_cash():
    book = PaperBook(2)
    first = close(1, [10, 10])
    book.fill(first, FREE)
    book.place(np.array([0.5, 0.5]), first)
    rates = CostRates(commission=0.01, half_spread=0.01, sell_tax=0.03)
    fills = book.fill(close(2, [20, 10]), rates)
    assert book.cash == pytest.approx(0)
    assert fills.bought == pytest.approx(1 / 1.02)
    assert (fills.commission, fills.spread, fills.tax) == pytest.approx((0.01 / 1.02, 0.01 / 1.02, 0))
    assert book.quantity[0] == pytest.approx(book.quantity[1])


def test_positions_that_end_count_once_and_gain_after_costs():
    rates = CostRates(commission=0.01, sell_tax=0.03)
    for price, gained in ((10.4, 0), (10.6, 1)):
        book = PaperBook(1)
        one = np.ones(1, dtype=bool)
        times = iter(range(1, 9))

        def at(price, one=one, times=times):
            return MarketClose(next(times), np.array([float(price)]), one, one, ~one)

        first = at(10)
        book.fill(first, rates)
        book.place(np.array([0.5]), first)
        second = at(10)
        book.fill(second, rates)
        book.place(np.array([0.0]), second)
        fills = book.fill(at(price), rates)
        assert (fills.closed, fills.gained) == (1, gained)
        assert book.fill(at(price), rates).closed == 0


def test_closes_go_forward():
    book = PaperBook(2)
    book.fill(close(5, [1, 1]), FREE)
    with pytest.raises(ValueError, match="close: must be after 5, is 5"):
        book.fill(close(5, [1, 1]), FREE)


def test_a_weight_needs_a_price():
    book = PaperBook(2)
    first = close(1, [10, np.nan])
    book.fill(first, FREE)
    with pytest.raises(ValueError, match="weights: must be NaN for symbols without a price"):
        book.place(np.array([0.5, 0.5]), first)
    book.place(np.array([0.5, np.nan]), first)
    np.testing.assert_allclose(book.waiting, [0.05, 0])
