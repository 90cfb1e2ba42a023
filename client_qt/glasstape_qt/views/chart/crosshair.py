"""The crosshair: one line through every pane at a bar, one at the mouse, and labels on the axes."""

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt

from glasstape_qt.theme.colors import Theme
from glasstape_qt.views.chart.axis_label import AxisLabel
from glasstape_qt.views.chart.panes import ChartPane, Panes
from glasstape_qt.views.chart.price_scale import PriceScale


class Crosshair:
    """Lines of the panes and two labels."""

    def __init__(self, panes: Panes, scale: PriceScale, scene: pg.GraphicsScene) -> None:
        self._panes, self._scale = panes, scale
        self._columns: dict[str, pg.InfiniteLine] = {}
        self._levels: dict[str, pg.InfiniteLine] = {}
        self.price_label, self.time_label = AxisLabel(scene), AxisLabel(scene)
        self._pen = pg.mkPen("#888888")
        self.bar = -1
        """Position of the marked bar; -1: none."""

    def restyle(self, theme: Theme) -> None:
        """Apply colors."""
        self._pen = pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine)
        for label in (self.price_label, self.time_label):
            label.set_colors(theme.text, theme.base)
        for line in (*self._columns.values(), *self._levels.values()):
            line.setPen(self._pen)

    def add_pane(self, pane: ChartPane) -> None:
        """Give a new pane its lines."""
        for lines, angle in ((self._columns, 90), (self._levels, 0)):
            line = pg.InfiniteLine(angle=angle, movable=False, pen=self._pen)
            line.hide()
            pane.plot.addItem(line, ignoreBounds=True)
            lines[pane.name] = line

    def show_bar(self, number: int) -> None:
        """Mark a bar in every pane, with its time; -1: none."""
        self.bar = number
        panes = list(self._panes)
        for pane in panes:
            self._columns[pane.name].setVisible(number >= 0)
            self._columns[pane.name].setPos(number)
        last = panes[-1]
        if not 0 <= number < len(last.time.bars):
            self.time_label.hide()
            return
        point = last.view.mapViewToScene(QPointF(number, 0))
        area = last.time_area
        text = last.time.full_label(number)
        self.time_label.show_beside(QPointF(point.x(), area.top() + 1), text, area, below=True)

    def show_level(self, scene_point: QPointF | None) -> None:
        """Mark the height of the mouse with its value; None: nothing."""
        pane = self.pane_at(scene_point) if scene_point is not None else None
        for shown in self._panes:
            self._levels[shown.name].setVisible(shown is pane)
        if pane is None or scene_point is None:
            self.price_label.hide()
            return
        y = pane.view.mapSceneToView(scene_point).y()
        self._levels[pane.name].setPos(y)
        text = self._scale.text(y) if pane is self._panes.price else f"{y:,.4g}"
        area = pane.scale_area
        self.price_label.show_beside(QPointF(area.left() + 1, scene_point.y()), text, area)

    def pane_at(self, scene_point: QPointF) -> ChartPane | None:
        """Return the pane under a point of the scene; None beside the panes."""
        return next((p for p in self._panes if p.view.sceneBoundingRect().contains(scene_point)), None)
