"""The view of one pane: the wheel and dragging move and zoom bars, on an axis they zoom that axis."""

from math import exp
from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import pyqtSignal

MIN_BARS = 8
"""Bars in view at least."""
WHEEL_FACTOR = 1.0015
"""Zoom per unit of the wheel."""
DRAG_FACTOR = 0.006
"""Zoom per pixel that an axis is dragged, in natural logarithms."""


class ChartViewBox(pg.ViewBox):
    """Zooms bars at the right edge, so that the newest stay in view; heights fit the bars until they are zoomed."""

    height_zoomed = pyqtSignal()
    """The user zoomed or moved the height."""
    height_reset = pyqtSignal()
    """The user asked for the height that fits the bars."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self.setMouseEnabled(x=True, y=False)
        self.setLimits(minXRange=MIN_BARS)
        self.height_follows = True
        """Whether the height fits the bars in view."""

    def wheelEvent(self, ev: Any, axis: int | None = None) -> None:
        """Zoom bars; over the axis of prices, zoom the height."""
        factor = WHEEL_FACTOR ** -ev.delta()
        if axis == 1:
            self._zoom_height(factor)
        else:
            self._zoom_bars(factor, self._x_at(ev))
        ev.accept()

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Move the bars, and the height once it was zoomed; on an axis, zoom it."""
        ev.accept()
        step = ev.pos() - ev.lastPos()
        if axis == 1:
            self._zoom_height(exp(step.y() * DRAG_FACTOR))
        elif axis == 0:
            self._zoom_bars(exp(-step.x() * DRAG_FACTOR), self.viewRange()[0][1])
        else:
            width, height = self.viewPixelSize()
            self.translateBy(x=-step.x() * width, y=None if self.height_follows else step.y() * height)
            self.sigRangeChangedManually.emit([True, not self.height_follows])

    def mouseClickEvent(self, ev: Any) -> None:
        """Leave clicks to the chart."""
        ev.ignore()

    def zoom_bars(self, factor: float) -> None:
        """Show `factor` times as many bars, with the newest ones in place."""
        self._zoom_bars(factor, self.viewRange()[0][1])

    def _x_at(self, ev: Any) -> float:
        return float(self.mapToView(ev.pos()).x())

    def _zoom_bars(self, factor: float, center: float) -> None:
        low, high = self.viewRange()[0]
        self.setXRange(center - (center - low) * factor, center + (high - center) * factor, padding=0)
        self.sigRangeChangedManually.emit([True, False])

    def _zoom_height(self, factor: float) -> None:
        self.height_follows = False
        low, high = self.viewRange()[1]
        middle, half = (low + high) / 2, (high - low) / 2 * factor
        self.setYRange(middle - half, middle + half, padding=0)
        self.height_zoomed.emit()
