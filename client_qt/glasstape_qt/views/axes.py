"""What stands beside a chart's axes."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

import pyqtgraph as pg
from glasstape import Bar

MOST_TICKS = 3


class TimeAxis(pg.AxisItem):
    """Bars are equally far apart; the axis names their closes."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.bars: Sequence[Bar] = ()
        self.zone: tzinfo = UTC

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Closes of the bars at these places."""
        texts = []
        for value in values:
            number = round(value)
            known = 0 <= number < len(self.bars) and abs(value - number) < 1e-6
            texts.append(self._name(number) if known else "")
        return texts

    def _name(self, number: int) -> str:
        bar = self.bars[number]
        here = bar.close_time.astimezone(self.zone)
        return f"{here:%y-%m-%d}" if bar.interval[-1] in "dw" else f"{here:%m-%d %H:%M}"


class AmountAxis(pg.AxisItem):
    """Volumes in thousands, millions and billions; a few ticks, because the strip is low."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """At most `MOST_TICKS`, of the coarsest spacing that has any."""
        for spacing, values in super().tickValues(minVal, maxVal, size):
            above = [value for value in values if value > 0]
            if above:
                return [(spacing, above[:: -(-len(above) // MOST_TICKS)])]
        return []

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Short forms."""
        return [_amount(value) for value in values]


def _amount(value: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


class PercentAxis(pg.AxisItem):
    """Shares as percent."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Whole percent, with a digit more where ticks are closer."""
        digits = 0 if spacing >= 0.01 else 1
        return [f"{100 * value:.{digits}f}%" for value in values]
