"""Decimals of prices: those of the instrument, or as many as the prices themselves have."""

from collections.abc import Iterable
from functools import lru_cache
from math import isfinite

from glasstape.types.market import Bar, Instrument

MAX_DECIMALS = 16
SIGNIFICANT_DIGITS = 8
"""Digits of a price beyond these are taken as noise of its binary form, not as digits of the price."""
MIN_SIGNIFICANT = 4
"""Significant digits that a price below 1 is shown with at least."""


def price_decimals(prices: Iterable[float], instrument: Instrument | None = None) -> int:
    """Return the number of decimals to show prices with, 0-16.

    The instrument's own come first, then those of its tick size. Without either: as many as the prices have; at
    least 2 below 1,000, and at least four significant digits below 1.

    Args:
        prices: of one instrument, such as those of a bar; not finite ones are ignored.
        instrument: its description.
    """
    if instrument is not None and instrument.price_decimals is not None:
        return min(max(instrument.price_decimals, 0), MAX_DECIMALS)
    if instrument is not None and instrument.tick_size:
        return _written(instrument.tick_size)
    return max((_needed(abs(price)) for price in prices if isfinite(price)), default=2)


def bar_decimals(bars: Iterable[Bar], instrument: Instrument | None = None) -> int:
    """Return the number of decimals to show every price of some bars of one instrument with."""
    prices = (price for bar in bars for price in (bar.open, bar.high, bar.low, bar.close))
    return price_decimals(prices, instrument)


def close_text(bar: Bar, instrument: Instrument | None = None) -> str:
    """Return the close of a bar with thousands separators and the decimals of its prices."""
    return f"{bar.close:,.{bar_decimals((bar,), instrument)}f}"


@lru_cache(maxsize=65_536)
def _needed(price: float) -> int:
    written = _written(price)
    if price >= 1:
        return written if price >= 1000 else max(2, written)
    if price == 0:
        return 2
    exponent = int(f"{price:e}".partition("e")[2])
    return min(MAX_DECIMALS, max(written, MIN_SIGNIFICANT - 1 - exponent))


def _written(price: float) -> int:
    """Return the decimals that a price has when it is written with `SIGNIFICANT_DIGITS`."""
    mantissa, _, exponent = f"{price:.{SIGNIFICANT_DIGITS - 1}e}".partition("e")
    digits = len(mantissa.rstrip("0").partition(".")[2])
    return min(MAX_DECIMALS, max(0, digits - int(exponent)))
