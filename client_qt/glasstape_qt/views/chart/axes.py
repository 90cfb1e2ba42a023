"""Axes of the charts: bar times, volumes and percentages."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

import pyqtgraph as pg
from glasstape import Bar

MAX_TICKS = 3


class TimeAxis(pg.AxisItem):
    """Equally spaced bars, labeled with their close times."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.bars: Sequence[Bar] = ()
        self.zone: tzinfo = UTC

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return the close times of the bars at these positions."""
        labels = []
        for value in values:
            number = round(value)
            known = 0 <= number < len(self.bars) and abs(value - number) < 1e-6
            labels.append(self._label(number) if known else "")
        return labels

    def _label(self, number: int) -> str:
        bar = self.bars[number]
        local = bar.close_time.astimezone(self.zone)
        return f"{local:%y-%m-%d}" if bar.interval[-1] in "dw" else f"{local:%m-%d %H:%M}"


class VolumeAxis(pg.AxisItem):
    """Volumes in thousands, millions and billions, with few ticks: the plot is low."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return at most `MAX_TICKS` ticks of the coarsest spacing that has any."""
        for spacing, values in super().tickValues(minVal, maxVal, size):
            above = [value for value in values if value > 0]
            if above:
                return [(spacing, above[:: -(-len(above) // MAX_TICKS)])]
        return []

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return abbreviated volumes."""
        return [_abbreviated(value) for value in values]


def _abbreviated(value: float) -> str:
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


class PercentAxis(pg.AxisItem):
    """Shares in percent."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return whole percentages, with one decimal if ticks are closer than 1 %."""
        digits = 0 if spacing >= 0.01 else 1
        return [f"{100 * value:.{digits}f}%" for value in values]
