"""Decimals of prices, with and without a description of the instrument."""

import math
from dataclasses import replace

import pytest
from glasstape import Instrument
from glasstape.prices import bar_decimals, close_text, price_decimals
from glasstape.testing import make_signal


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (1.3e-8, "0.00000001300"),
        (8.6e-6, "0.000008600"),
        (0.0123, "0.01230"),
        (0.00012345678, "0.00012345678"),
        (0.1 + 0.2, "0.3000"),
        (1.0234, "1.0234"),
        (1.02, "1.02"),
        (100.0, "100.00"),
        (75_380.07, "75,380.07"),
        (738_359.79, "738,359.79"),
        (81_500.0, "81,500"),
        (0.0, "0.00"),
    ],
)
def test_a_price_is_shown_with_its_own_digits(price, text):
    assert f"{price:,.{price_decimals((price,))}f}" == text


def test_the_instrument_decides_if_it_is_known():
    assert price_decimals((1.02345,), Instrument(symbol="A", price_decimals=2)) == 2
    assert price_decimals((1.0,), Instrument(symbol="A", tick_size=0.00005)) == 5
    assert price_decimals((81_500.0,), Instrument(symbol="A", tick_size=100.0)) == 0


def test_prices_of_a_bar_share_their_decimals():
    bar = replace(make_signal("EURUSD").bar, open=1.0201, high=1.0234, low=1.0187, close=1.02)
    assert bar_decimals([bar]) == 4
    assert close_text(bar) == "1.0200"
    assert price_decimals((math.nan, math.inf)) == 2
