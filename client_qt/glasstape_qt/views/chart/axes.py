"""Axes of the charts: bar times, volumes and percentages."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from math import ceil

import pyqtgraph as pg
from glasstape import Bar

MAX_TICKS = 3
TIME_GAP = 24
"""Pixels between two labels of the time axis at least."""


class TimeAxis(pg.AxisItem):
    """Equally spaced bars, labeled with their close times as densely as their labels fit."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.bars: Sequence[Bar] = ()
        self.zone: tzinfo = UTC
        self.setStyle(hideOverlappingLabels=True)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return positions of bars that are far enough apart for their labels."""
        first, last = max(0, ceil(minVal)), min(len(self.bars) - 1, int(maxVal))
        if last < first or size <= 0 or maxVal <= minVal:
            return []
        widest = self.fontMetrics().horizontalAdvance(self.short_label(last)) + TIME_GAP
        step = max(1, ceil(widest * (maxVal - minVal) / size))
        return [(step, [float(number) for number in range(first + (-first) % step, last + 1, step)])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return the close times of the bars at these positions."""
        known = range(len(self.bars))
        return [self.short_label(round(value)) if round(value) in known else "" for value in values]

    def short_label(self, number: int) -> str:
        """Return the close time of a bar, as short as its interval permits."""
        bar = self.bars[number]
        local = bar.close_time.astimezone(self.zone)
        return f"{local:%y-%m-%d}" if _is_daily(bar) else f"{local:%m-%d %H:%M}"

    def full_label(self, number: int) -> str:
        """Return the close time of a bar with its year and weekday."""
        bar = self.bars[number]
        local: datetime = bar.close_time.astimezone(self.zone)
        return f"{local:%Y-%m-%d}" if _is_daily(bar) else f"{local:%Y-%m-%d %H:%M}"

    def fontMetrics(self) -> "pg.QtGui.QFontMetrics":
        """Return the metrics of the labels' font."""
        return pg.QtGui.QFontMetrics(self.style["tickFont"] or pg.QtWidgets.QApplication.font())


def _is_daily(bar: Bar) -> bool:
    return bar.interval[-1] in "dwo"


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
        return [abbreviated(value) for value in values]


def abbreviated(value: float) -> str:
    """Return an amount in thousands, millions, billions or trillions, with three digits."""
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:g}"


class NumberAxis(pg.AxisItem):
    """Plain numbers with few ticks, for low panes."""

    def __init__(self) -> None:
        super().__init__("right")
        self.enableAutoSIPrefix(False)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return at most `MAX_TICKS` ticks."""
        for spacing, values in super().tickValues(minVal, maxVal, size):
            if len(values) >= 2:
                return [(spacing, list(values[:: -(-len(values) // MAX_TICKS)]))]
        return super().tickValues(minVal, maxVal, size)[:1]  # type: ignore[no-any-return]


class PercentAxis(pg.AxisItem):
    """Shares in percent."""

    def __init__(self, orientation: str) -> None:
        super().__init__(orientation)
        self.enableAutoSIPrefix(False)

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return whole percentages, with one decimal if ticks are closer than 1 %."""
        digits = 0 if spacing >= 0.01 else 1
        return [f"{100 * value:.{digits}f}%" for value in values]
