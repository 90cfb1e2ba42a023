"""The reliability diagram: stated confidence against how often the class came true."""

import numpy as np
import pyqtgraph as pg
from glasstape import Direction, ReliabilityPoint
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.axes import PercentAxis


class ReliabilityDiagram(pg.PlotWidget):
    """Points of one class with their 95 % intervals; calibrated confidences lie on the diagonal."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent, axisItems={"bottom": PercentAxis("bottom"), "left": PercentAxis("left")})
        self.setObjectName("reliabilityDiagram")
        self._appearance = appearance
        plot = self.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(x=False, y=False)
        self._diagonal = plot.plot([0, 1], [0, 1])
        self._intervals = pg.ErrorBarItem(x=np.zeros(1), y=np.zeros(1), beam=0.006)
        plot.addItem(self._intervals)
        self._points = plot.plot(symbol="o", symbolSize=8)
        self._direction = Direction.UP
        self._shown: list[ReliabilityPoint] = []
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        plot = self.getPlotItem()
        for side, key in (("bottom", "trust.stated"), ("left", "trust.came_true")):
            axis = plot.getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.text)
            axis.setStyle(tickFont=self.font())
            axis.setLabel(tr(key), color=theme.text)
        self._diagonal.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine))
        self.show_points(self._shown, self._direction)

    def show_points(self, points: list[ReliabilityPoint], direction: Direction) -> None:
        """Show the points of one class, lowest confidence first."""
        self._shown, self._direction = points, direction
        color = self._appearance.colors.of(direction)
        self._points.setPen(pg.mkPen(color, width=1.5))
        self._points.setSymbolBrush(pg.mkBrush(color))
        self._points.setSymbolPen(pg.mkPen(self._appearance.theme.base))
        stated, realized = np.array([p.stated for p in points]), np.array([p.realized for p in points])
        self._points.setData(stated, realized)
        self._intervals.setVisible(bool(points))
        if points:
            low, high = np.array([(p.realized_low, p.realized_high) for p in points]).T
            self._intervals.setData(
                x=stated,
                y=realized,
                top=high - realized,
                bottom=realized - low,
                beam=0.01 * float(np.ptp(stated)),
                pen=pg.mkPen(color),
            )
            self.getPlotItem().setXRange(float(stated.min()), float(stated.max()), padding=0.15)
            self.getPlotItem().setYRange(float(low.min()), float(high.max()), padding=0.08)
        self._update_title()

    def _update_title(self) -> None:
        direction = tr(f"direction.{self._direction.name.lower()}")
        count = sum(p.count for p in self._shown)
        title = tr("trust.diagram", direction=direction, n=count) if self._shown else tr("trust.no_bins")
        self.setAccessibleName(title)
        size = f"{self.font().pointSizeF():.1f}pt"
        self.getPlotItem().setTitle(title, color=self._appearance.theme.text, size=size)
