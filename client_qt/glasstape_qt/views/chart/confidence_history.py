"""The three confidences of a symbol over time."""

from datetime import tzinfo

import pyqtgraph as pg
from glasstape import Direction
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.axes import PercentAxis, TimeAxis

VISIBLE_SIGNALS = 60
"""Signals in view when it opens."""

_SAMPLES = {Direction.UP: "──", Direction.FLAT: "– –", Direction.DOWN: "····"}


class ConfidenceHistory(pg.PlotWidget):
    """Lines of the confidence of DOWN, FLAT and UP, with the model's base rate."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        self._axis = TimeAxis()
        super().__init__(parent, axisItems={"bottom": self._axis, "left": PercentAxis("left")})
        self.setObjectName("confidenceHistory")
        self._appearance = appearance
        self._detail: SymbolDetail | None = None
        self._following = True
        plot = self.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.setMouseEnabled(x=True, y=False)
        plot.getAxis("left").setWidth(64)
        self._lines = {direction: plot.plot() for direction in Direction}
        plot.vb.sigRangeChangedManually.connect(self._range_changed)
        self._base_line = pg.InfiniteLine(angle=0, movable=False)
        plot.addItem(self._base_line)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        self.setAccessibleName(tr("history.title"))
        self.setAccessibleDescription(tr("history.help"))
        styles = {
            Direction.DOWN: Qt.PenStyle.DotLine,
            Direction.FLAT: Qt.PenStyle.DashLine,
            Direction.UP: Qt.PenStyle.SolidLine,
        }
        for direction, line in self._lines.items():
            line.setPen(pg.mkPen(self._appearance.colors.of(direction), width=1.6, style=styles[direction]))
        self._base_line.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashDotLine))
        self.getPlotItem().setTitle(self._legend(), size=f"{QApplication.font().pointSizeF():.1f}pt")
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.muted)
            axis.setStyle(tickFont=self.font())

    def _legend(self) -> str:
        """Return the names of the lines above the plot, where they hide none of it."""
        parts = [
            (
                self._appearance.colors.of(direction).name(),
                f"{_SAMPLES[direction]} {tr(f'direction.{direction.name.lower()}')}",
            )
            for direction in (Direction.UP, Direction.FLAT, Direction.DOWN)
        ]
        parts.append((self._appearance.theme.muted, f"–·– {tr('history.base_rate')}"))
        return "&nbsp; ".join(f'<span style="color: {color}">{text}</span>' for color, text in parts)

    def show_detail(self, detail: SymbolDetail, base_rate: float | None, zone: tzinfo) -> None:
        """Show the signals of a symbol; `base_rate` is the share of UP in validation (None: no line)."""
        self._axis.bars = [event.signal.bar for event in detail.signals]
        self._axis.zone = zone
        numbers = list(range(len(detail.signals)))
        for direction, line in self._lines.items():
            name = direction.name.lower()
            line.setData(numbers, [getattr(event.signal.probabilities, name) for event in detail.signals])
        self._base_line.setVisible(base_rate is not None)
        self._base_line.setPos(base_rate or 0.0)
        if detail is not self._detail or self._following:
            self.follow()
        self._detail = detail

    def follow(self) -> None:
        """Show the newest signals, and follow new ones."""
        self._following = True
        count = len(self._axis.bars)
        self.getPlotItem().setXRange(max(0, count - VISIBLE_SIGNALS), max(count - 1, 1), padding=0.02)
        self.getPlotItem().enableAutoRange(axis="y")

    def _range_changed(self, *_: object) -> None:
        right = self.getPlotItem().vb.viewRange()[0][1]
        self._following = right >= len(self._axis.bars) - 1
