"""The line of the last price, with the price and the time until its bar closes."""

from datetime import timedelta

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor

from glasstape_qt.theme.colors import readable
from glasstape_qt.views.chart.axis_label import AxisLabel
from glasstape_qt.views.chart.panes import ChartPane
from glasstape_qt.views.chart.price_scale import PriceScale


class LastPrice:
    """A dashed line through the pane of the candles and a label on its scale."""

    def __init__(self, pane: ChartPane, scale: PriceScale, scene: pg.GraphicsScene) -> None:
        self._pane, self._scale = pane, scale
        self.line = pg.InfiniteLine(angle=0, movable=False)
        self.line.hide()
        pane.plot.addItem(self.line, ignoreBounds=True)
        self.label = AxisLabel(scene)
        self.label.setZValue(900)
        self._price: float | None = None
        self._countdown = ""

    def show(self, price: float | None, color: QColor, left: timedelta | None) -> None:
        """Show a price and the time left until its bar closes; None: no price, or no time."""
        self._price = price
        self._countdown = countdown_text(left) if left is not None else ""
        self.line.setVisible(price is not None)
        self.line.setPen(pg.mkPen(color, style=Qt.PenStyle.DotLine))
        self.label.set_colors(color, readable(color))
        if price is not None:
            self.line.setPos(self._scale.to_y(price))
        self.place()

    def place(self) -> None:
        """Move the label to the line, after the view has changed; it is hidden where the line is out of view."""
        low, high = self._pane.view.viewRange()[1]
        y = self._scale.to_y(self._price) if self._price is not None else None
        if y is None or not low <= y <= high:
            self.label.hide()
            return
        area = self._pane.scale_area
        point = self._pane.view.mapViewToScene(QPointF(0, y))
        lines = [self._scale.text(y), *([self._countdown] if self._countdown else [])]
        self.label.show_beside(QPointF(area.left() + 1, point.y()), "\n".join(lines), area)


def countdown_text(left: timedelta) -> str:
    """Return a time as m:ss, h:mm:ss, or in days and hours."""
    seconds = max(0, int(left.total_seconds()))
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f"{hours // 24}d {hours % 24}h"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
