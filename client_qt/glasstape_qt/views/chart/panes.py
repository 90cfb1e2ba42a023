"""The panes of the chart: candles, and below them volume and the studies that need a scale of their own."""

from collections.abc import Callable, Iterator, Sequence

import pyqtgraph as pg
from PyQt6.QtCore import QRectF

from glasstape_qt.theme.colors import Theme
from glasstape_qt.views.chart.axes import NumberAxis, TimeAxis, VolumeAxis
from glasstape_qt.views.chart.chart_view_box import ChartViewBox
from glasstape_qt.views.chart.price_scale import PriceAxis, PriceScale

PRICE = "price"
PRICE_STRETCH, PANE_STRETCH = 5, 1
PRICE_HEIGHT, PANE_HEIGHT, PANE_MAX_HEIGHT = 110, 44, 76
"""Pixels of the candles at least, and of each pane below them at least and at most, at zoom 1."""
TIME_HEIGHT = 26
"""Pixels of the times of the bars, at zoom 1."""
AXIS_WIDTH = 66
"""Pixels of the axis of prices, at zoom 1."""


class ChartPane:
    """One plot with its scale at the right and the times of the bars below."""

    def __init__(self, name: str, right: pg.AxisItem) -> None:
        self.name = name
        self.time, self.right, self.view = TimeAxis(), right, ChartViewBox()
        self.plot = pg.PlotItem(viewBox=self.view, axisItems={"bottom": self.time, "right": right})
        self.plot.hideAxis("left")
        self.plot.showAxis("right")
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.showGrid(x=False, y=True, alpha=0.15)
        self.title = pg.LabelItem(justify="left")
        self.title.setParentItem(self.view)
        self.title.anchor(itemPos=(0, 0), parentPos=(0, 0), offset=(4, 0))

    @property
    def scale_area(self) -> QRectF:
        """Rectangle of the scale in the scene; its own bounding rectangle includes the lines of the grid."""
        return QRectF(self.right.scenePos(), self.right.size())

    @property
    def time_area(self) -> QRectF:
        """Rectangle of the times of the bars in the scene."""
        return QRectF(self.time.scenePos(), self.time.size())

    def restyle(self, theme: Theme, width: int) -> None:
        """Apply colors and the width of the scale."""
        for axis in (self.time, self.right):
            axis.setPen(theme.line)
            axis.setTextPen(theme.muted)
            axis.setStyle(tickFont=pg.QtWidgets.QApplication.font())
        self.right.setWidth(width)


class Panes:
    """The panes of a chart, the candles first; each shows the same bars.

    Args:
        layout: gets the plots.
        scale: of the candles.
    """

    def __init__(self, layout: pg.GraphicsLayout, scale: PriceScale) -> None:
        self._layout = layout
        self.created: Callable[[ChartPane], object] = lambda pane: None
        """Called with each new pane."""
        layout.setSpacing(0)
        layout.setContentsMargins(0, 0, 0, 0)
        self.price = ChartPane(PRICE, PriceAxis(scale))
        self._panes = [self.price]
        self._hidden: dict[str, ChartPane] = {}
        """Panes that were shown before: Qt deletes what a plot holds with it."""
        self._place()

    def __iter__(self) -> Iterator[ChartPane]:
        return iter(self._panes)

    @property
    def minimum_height(self) -> int:
        """Pixels at which every pane can be read, at zoom 1."""
        return PRICE_HEIGHT + PANE_HEIGHT * (len(self._panes) - 1) + TIME_HEIGHT

    def get(self, name: str) -> ChartPane | None:
        """Return the pane of a study; None if it is not shown."""
        return next((pane for pane in self._panes if pane.name == name), None)

    def show(self, names: Sequence[str]) -> None:
        """Show a pane for each name, in this order; a pane that is hidden and shown again keeps its items."""
        if [pane.name for pane in self._panes[1:]] == list(names):
            return
        for pane in self._panes:
            self._layout.removeItem(pane.plot)
            self._hidden[pane.name] = pane
        self._panes = [self.price, *(self._taken(name) for name in names)]
        self._place()

    def _taken(self, name: str) -> ChartPane:
        return self._hidden.pop(name) if name in self._hidden else self._create(name)

    def _create(self, name: str) -> ChartPane:
        pane = ChartPane(name, VolumeAxis("right") if name == "volume" else NumberAxis())
        pane.plot.setXLink(self.price.plot)
        self.created(pane)
        return pane

    def _place(self) -> None:
        grid = self._layout.layout
        for number, pane in enumerate(self._panes):
            self._layout.addItem(pane.plot, row=number, col=0)
            grid.setRowStretchFactor(number, PANE_STRETCH if number else PRICE_STRETCH)
            last = number == len(self._panes) - 1
            grid.setRowPreferredHeight(number, PANE_HEIGHT if number else 5 * PANE_HEIGHT)
            grid.setRowMaximumHeight(number, PANE_MAX_HEIGHT + 24 * last if number else 16_000)
            pane.time.setStyle(showValues=last)
            pane.time.setHeight(None if last else 1)
