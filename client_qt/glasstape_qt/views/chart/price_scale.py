"""The scale of prices: linear, logarithmic or in percent, and the axis that labels it."""

from collections.abc import Sequence
from enum import StrEnum
from math import isfinite, log10

import pyqtgraph as pg


class ScaleMode(StrEnum):
    """How prices are scaled."""

    LINEAR = "linear"
    LOG = "log"
    PERCENT = "percent"
    """As linear, labeled with the change from the first bar in view."""


class PriceScale:
    """Maps prices to the y of the chart and back, and writes them."""

    def __init__(self) -> None:
        self.mode = ScaleMode.LINEAR
        self.base = 1.0
        """Price that percentages are of."""
        self.decimals = 2

    def to_y(self, price: float) -> float:
        """Return the y of a price; a price that has no logarithm is NaN."""
        if self.mode is not ScaleMode.LOG:
            return price
        return log10(price) if price > 0 else float("nan")

    def to_price(self, y: float) -> float:
        """Return the price at a y."""
        return 10.0 ** min(y, 300.0) if self.mode is ScaleMode.LOG else y

    def text(self, y: float) -> str:
        """Return the label of a y."""
        price = self.to_price(y)
        if self.mode is ScaleMode.PERCENT:
            return f"{100 * (price / self.base - 1):+,.2f}%"
        return f"{price:,.{self.decimals}f}"


class PriceAxis(pg.AxisItem):
    """Prices at the right of the chart, with thousands separators."""

    def __init__(self, scale: PriceScale) -> None:
        super().__init__("right")
        self._scale = scale
        self.enableAutoSIPrefix(False)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return ticks at round prices, or at round percentages."""
        if not (isfinite(minVal) and isfinite(maxVal)) or maxVal <= minVal:
            return []
        scale = self._scale
        if scale.mode is ScaleMode.LINEAR:
            return super().tickValues(minVal, maxVal, size)[:1]  # type: ignore[no-any-return]
        count = max(2, int(size / 40))
        if scale.mode is ScaleMode.PERCENT:
            low, high = (value / scale.base - 1 for value in (minVal, maxVal))
            return [(1.0, [scale.base * (1 + share) for share in round_values(low, high, count)])]
        prices = round_values(scale.to_price(minVal), scale.to_price(maxVal), count)
        return [(1.0, [scale.to_y(price) for price in prices if price > 0])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return the prices or percentages of ticks."""
        return [self._scale.text(value) for value in values]


def round_values(low: float, high: float, count: int) -> list[float]:
    """Return at most about `count` multiples of 1, 2 or 5 times a power of ten between two values."""
    span = (high - low) / count
    if not isfinite(span) or span <= 0:
        return []
    power = 10.0 ** int(log10(span) // 1)
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= span * (1 - 1e-9))
    first = int(-(-low // step))
    return [number * step for number in range(first, first + count + 2) if number * step <= high]
