"""Markers of past signals beside their bars, and the horizon of the selected one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyqtgraph as pg
from glasstape import Bar, ConfidenceEvent, Direction, EntryPrice
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QColor

from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.theme.colors import Colors
from glasstape_qt.views.chart.panes import ChartPane
from glasstape_qt.views.chart.price_scale import PriceScale

HIT_SYMBOL, MISS_SYMBOL = "o", "x"
PENDING_SYMBOLS = {Direction.UP: "t1", Direction.DOWN: "t"}
"""pyqtgraph's triangles that point up and down."""
GAP = 5
"""Pixels between the end of a wick and a marker."""


class SignalMarkers:
    """UP below and DOWN above its bar, free of the wick; the larger, the more confident."""

    def __init__(self, pane: ChartPane, scale: PriceScale, clicked: Callable[[int], object]) -> None:
        self._pane, self._scale = pane, scale
        self.items = pg.ScatterPlotItem(pxMode=True, hoverable=True, tip=None)
        self.items.sigClicked.connect(
            lambda _, points, __: clicked(points[0].data()) if len(points) else None
        )
        self._horizon = pg.PlotDataItem(symbol="s", symbolSize=5)
        for item in (self.items, self._horizon):
            pane.plot.addItem(item, ignoreBounds=True)
        self._spots: list[dict[str, Any]] = []
        self._ends: list[tuple[int, float, int]] = []
        """Of each spot: its bar, the price at the end of the wick, and the side: 1 above it, -1 below."""

    def show(
        self, detail: SymbolDetail, bars: Sequence[Bar], positions: Mapping[Any, int], colors: Colors
    ) -> None:
        """Show the signals of a detail at the positions of their close times."""
        self._spots, self._ends = [], []
        for event in detail.signals:
            number, direction = positions.get(event.bar_close_time), event.signal.probabilities.direction
            if number is None or direction is Direction.FLAT:
                continue
            up, bar = direction is Direction.UP, bars[number]
            self._spots.append(_spot(event, detail.was_hit(event), colors))
            self._ends.append((number, bar.low if up else bar.high, -1 if up else 1))
        self.place()

    def place(self) -> None:
        """Move the markers off the wicks; called when the height has changed."""
        height = self._pane.view.viewPixelSize()[1]
        for spot, (number, price, side) in zip(self._spots, self._ends, strict=True):
            spot["pos"] = (number, self._scale.to_y(price) + side * height * (GAP + spot["size"] / 2))
        self.items.setData(self._spots)

    def show_horizon(
        self,
        event: ConfidenceEvent | None,
        detail: SymbolDetail,
        bars: Sequence[Bar],
        positions: Mapping[Any, int],
    ) -> None:
        """Draw from the close where the outcome of a signal begins to the close where its horizon ends."""
        number = positions.get(event.bar_close_time) if event is not None else None
        if event is None or number is None:
            self._horizon.setData([], [])
            return
        start = number + (event.signal.entry is EntryPrice.NEXT_CLOSE)
        end = start + event.signal.horizon_bars
        if end >= len(bars):
            self._horizon.setData([], [])
            return
        ends = [self._scale.to_y(bars[number].close) for number in (start, end)]
        hit = detail.was_hit(event)
        style = {True: Qt.PenStyle.SolidLine, False: Qt.PenStyle.DashLine, None: Qt.PenStyle.DotLine}[hit]
        self._horizon.setPen(pg.mkPen(self._color, width=2, style=style))
        self._horizon.setSymbolBrush(pg.mkBrush(self._color))
        self._horizon.setSymbolPen(None)
        self._horizon.setData([start, end], ends)

    @property
    def horizon(self) -> list[tuple[int, float]]:
        """Positions of the bars that the drawn horizon runs between, and their y."""
        xs, ys = self._horizon.getData()
        return [] if xs is None else list(zip(map(int, xs), map(float, ys), strict=True))

    def restyle(self, color: str) -> None:
        """Set the color of the horizon."""
        self._color = QColor(color)

    def position(self, sequence: int) -> QPointF:
        """Return the position of a signal's marker in the scene."""
        spot = next(spot for spot in self.items.points() if spot.data() == sequence)
        point: QPointF = self._pane.view.mapViewToScene(spot.pos())
        return point


def _spot(event: ConfidenceEvent, hit: bool | None, colors: Colors) -> dict[str, Any]:
    confidence = event.signal.probabilities
    color, edge = QColor(colors.of(confidence.direction)), QColor(colors.theme.text)
    if confidence.abstained:
        color.setAlpha(110)
        edge.setAlpha(110)
    filled = hit is not None
    return {
        "size": 6 + 22 * max(0.0, confidence.winning - 1 / 3),
        "symbol": (HIT_SYMBOL if hit else MISS_SYMBOL) if filled else PENDING_SYMBOLS[confidence.direction],
        "pen": pg.mkPen(edge, width=1) if filled else pg.mkPen(color, width=2),
        "brush": pg.mkBrush(color) if filled else None,
        "data": event.sequence,
    }
