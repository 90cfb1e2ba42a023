"""The price chart: candles and volume, the model's input window, and past signals with their outcomes."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from math import isfinite
from typing import Any

import pyqtgraph as pg
from glasstape import ConfidenceEvent, Direction
from PyQt6.QtCore import QPoint, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.symbol_detail import SymbolDetail
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.axes import TimeAxis, VolumeAxis
from glasstape_qt.views.chart.candle_pictures import PictureItem, draw_candles, draw_volumes

VISIBLE_BARS = 60
"""Bars in view when a chart opens."""
HIT_SYMBOL, MISS_SYMBOL = "o", "x"
PENDING_SYMBOLS = {Direction.UP: "t1", Direction.DOWN: "t"}
"""pyqtgraph's triangles that point up and down."""


class CandleChart(pg.GraphicsLayoutWidget):
    """Shows a `SymbolDetail`; its hovered bar is linked with that of the heat map."""

    hovered = pyqtSignal(int)
    """Index of the bar under the mouse; -1: none."""
    bar_described = pyqtSignal(str)
    """Text of the bar under the mouse, else of the newest."""
    moved = pyqtSignal()
    """The user moved the view."""
    signal_clicked = pyqtSignal(object)
    """Sequence of a past signal that was clicked."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("candleChart")
        self._appearance = appearance
        self.setMinimumHeight(90)
        self._detail: SymbolDetail | None = None
        self._zone: tzinfo = UTC
        self._time_steps = 0
        self._decimals: int | None = None
        self._following = True
        self._axis = TimeAxis()
        self._price = self.addPlot(row=0, col=0)
        self._volume = self.addPlot(
            row=1, col=0, axisItems={"bottom": self._axis, "left": VolumeAxis("left")}
        )
        self.ci.layout.setRowStretchFactor(0, 4)
        self.ci.layout.setRowStretchFactor(1, 1)
        self._volume.setXLink(self._price)
        self._candles, self._volumes = PictureItem(), PictureItem()
        self._window = pg.LinearRegionItem(movable=False)
        self._markers = pg.ScatterPlotItem(pxMode=True, hoverable=True, tip=None)
        self._markers.sigClicked.connect(self._marker_clicked)
        self.scene().sigMouseClicked.connect(self._scene_clicked)
        self._cursor = pg.InfiniteLine(angle=90, movable=False)
        for item in (self._window, self._candles, self._markers, self._cursor):
            self._price.addItem(item)
        self._volume.addItem(self._volumes)
        self._cursor.hide()
        for plot in (self._price, self._volume):
            plot.hideButtons()
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(x=True, y=False)
            plot.showGrid(x=False, y=True, alpha=0.15)
            plot.getAxis("left").setWidth(64)
        self._price.getAxis("bottom").setStyle(showValues=False)
        self._price.vb.sigRangeChangedManually.connect(self._range_changed)
        self._price.vb.sigXRangeChanged.connect(self._fit_height)
        self.scene().sigMouseMoved.connect(self._mouse_moved)
        appearance.changed.connect(self.restyle)
        self.restyle()

    @property
    def following(self) -> bool:
        """Whether the view moves with new bars."""
        return self._following

    @property
    def highlighted_bar(self) -> int:
        """Index of the bar with the cursor line; -1: none."""
        return round(self._cursor.value()) if self._cursor.isVisible() else -1

    @property
    def input_window(self) -> tuple[int, int] | None:
        """Indexes of the first and last bar marked as the model's input."""
        if not self._window.isVisible():
            return None
        low, high = self._window.getRegion()
        return round(low + 0.5), round(high - 0.5)

    @property
    def price_range(self) -> tuple[float, float]:
        """Lowest and highest price of the view."""
        low, high = self._price.vb.viewRange()[1]
        return low, high

    @property
    def marker_symbols(self) -> dict[int, str]:
        """pyqtgraph's symbol of each past signal's marker, by sequence."""
        return {spot.data(): spot.symbol() for spot in self._markers.points()}

    def marker_position(self, sequence: int) -> QPoint:
        """Return the position of a past signal's marker, in coordinates of the viewport."""
        spot = next(spot for spot in self._markers.points() if spot.data() == sequence)
        position: QPoint = self.mapFromScene(self._price.vb.mapViewToScene(spot.pos()))
        return position

    def restyle(self) -> None:
        """Apply theme and language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        self.setAccessibleName(tr("chart.title"))
        for plot in (self._price, self._volume):
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(theme.line)
                axis.setTextPen(theme.muted)
                axis.setStyle(tickFont=self.font())
        accent = QColor(theme.accent)
        accent.setAlpha(45)
        self._window.setBrush(accent)
        for line in self._window.lines:
            line.setPen(theme.accent)
        self._cursor.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine))
        if self._detail is not None:
            self.show_detail(self._detail, self._zone, self._time_steps, self._decimals)

    def show_detail(
        self, detail: SymbolDetail, zone: tzinfo, time_steps: int, decimals: int | None = None
    ) -> None:
        """Show bars and signals.

        Args:
            detail: bars, signals and outcomes.
            zone: time zone of the axis.
            time_steps: length of the model's input, in bars.
            decimals: decimals of prices; None: six significant digits.
        """
        first = self._detail is not detail
        self._detail, self._zone, self._time_steps, self._decimals = detail, zone, time_steps, decimals
        up, down = (self._appearance.colors.of(d) for d in (Direction.UP, Direction.DOWN))
        bars, count = detail.bars, len(detail.bars)
        low, high = min((bar.low for bar in bars), default=0), max((bar.high for bar in bars), default=1)
        most = max((bar.volume for bar in bars), default=1.0)
        self._candles.set_picture(draw_candles(bars, up, down), QRectF(-1, low, count + 1, high - low))
        self._volumes.set_picture(draw_volumes(bars, up, down), QRectF(-1, 0, count + 1, most))
        self._axis.bars = bars
        self._axis.zone = zone
        self._mark_signals(detail)
        window = detail.input_window(time_steps)
        self._window.setVisible(window is not None)
        if window is not None:
            self._window.setRegion((window[0] - 0.5, window[1] + 0.5))
        if first or self._following:
            self.follow()
        self._fit_height()
        self._describe_bar(count - 1)
        self.setAccessibleDescription(tr("chart.help", bars=count) if count else tr("chart.empty"))

    def follow(self) -> None:
        """Show the newest bars, and follow new ones."""
        self._following = True
        count = len(self._detail.bars) if self._detail is not None else 0
        right = max(count, self._time_steps, 1) + 0.5
        self._price.setXRange(max(-1.0, count - VISIBLE_BARS - 0.5), right, padding=0)

    def highlight(self, index: int) -> None:
        """Mark a bar that is hovered elsewhere; -1: none."""
        self._cursor.setVisible(index >= 0)
        self._cursor.setPos(index)
        count = len(self._detail.bars) if self._detail is not None else 0
        self._describe_bar(index if index >= 0 else count - 1)

    def _mark_signals(self, detail: SymbolDetail) -> None:
        """Mark UP below and DOWN above its bar; the larger, the more confident."""
        spots: list[dict[str, Any]] = []
        positions = {bar.close_time: number for number, bar in enumerate(detail.bars)}
        for event in detail.signals:
            number = positions.get(event.bar_close_time)
            direction = event.signal.probabilities.direction
            if number is None or direction is Direction.FLAT:
                continue
            bar, color = detail.bars[number], QColor(self._appearance.colors.of(direction))
            hit = detail.was_hit(event)
            if hit is None:
                symbol, brush = PENDING_SYMBOLS[direction], None
                pen = pg.mkPen(color, width=2)
            else:
                symbol, brush = HIT_SYMBOL if hit else MISS_SYMBOL, pg.mkBrush(color)
                pen = pg.mkPen(self._appearance.theme.text, width=1)
            spots.append(
                {
                    "pos": (number, bar.low if direction is Direction.UP else bar.high),
                    "size": 5 + 26 * max(0.0, event.signal.probabilities.winning - 1 / 3),
                    "symbol": symbol,
                    "pen": pen,
                    "brush": brush,
                    "data": event.sequence,
                }
            )
        self._markers.setData(spots)

    def _marker_clicked(self, _: object, points: Sequence[Any], __: object) -> None:
        if len(points):
            self.signal_clicked.emit(points[0].data())

    def _scene_clicked(self, event: Any) -> None:
        """Reopen the signal of a double-clicked bar, including FLAT ones, which have no marker."""
        if self._detail is None or not event.double():
            return
        index = round(self._price.vb.mapSceneToView(event.scenePos()).x())
        if 0 <= index < len(self._detail.bars):
            closed = self._detail.bars[index].close_time
            signals = [signal for signal in self._detail.signals if signal.bar_close_time == closed]
            if signals:
                self.signal_clicked.emit(signals[-1].sequence)

    def _range_changed(self, *_: object) -> None:
        right = self._price.vb.viewRange()[0][1]
        count = len(self._detail.bars) if self._detail is not None else 0
        self._following = right >= count - 0.5
        self.moved.emit()

    def _fit_height(self, *_: object) -> None:
        """Scale prices and volumes to the bars in view; bars with a NaN are ignored."""
        if self._detail is None or not self._detail.bars:
            return
        low, high = self._price.vb.viewRange()[0]
        bars = self._detail.bars[max(0, int(low)) : max(1, int(high) + 1)] or self._detail.bars[-1:]
        bars = [bar for bar in bars if isfinite(bar.low + bar.high + bar.volume)]
        if not bars:
            return
        bottom, top = min(bar.low for bar in bars), max(bar.high for bar in bars)
        padding = (top - bottom) * 0.12 or abs(top) * 0.01 or 1.0
        self._price.setYRange(bottom - padding, top + padding, padding=0)
        self._volume.setYRange(0, max(bar.volume for bar in bars) * 1.1 or 1.0, padding=0)

    def _mouse_moved(self, position: QPointF) -> None:
        inside = self._price.sceneBoundingRect().contains(position)
        count = len(self._detail.bars) if self._detail is not None else 0
        index = round(self._price.vb.mapSceneToView(position).x()) if inside else -1
        index = index if 0 <= index < count else -1
        self.highlight(index)
        self.hovered.emit(index)

    def _describe_bar(self, index: int) -> None:
        if self._detail is None or not 0 <= index < len(self._detail.bars):
            self.bar_described.emit(tr("chart.empty"))
            return
        bar = self._detail.bars[index]
        local = bar.close_time.astimezone(self._zone)
        prices = {name: self._format(getattr(bar, name)) for name in ("open", "high", "low", "close")}
        texts = [f"{local:%Y-%m-%d %H:%M}", tr("chart.bar", **prices, volume=f"{bar.volume:,.0f}")]
        texts += [
            self._describe_signal(event)
            for event in self._detail.signals
            if event.bar_close_time == bar.close_time
        ]
        self.bar_described.emit("   ".join(texts))

    def _format(self, price: float) -> str:
        return f"{price:,.{self._decimals}f}" if self._decimals is not None else f"{price:,.6g}"

    def _describe_signal(self, event: ConfidenceEvent) -> str:
        confidence = event.signal.probabilities
        hit = self._detail.was_hit(event) if self._detail is not None else None
        outcome = {True: "hit", False: "miss", None: "pending"}[hit]
        direction = tr(f"direction.{confidence.direction.name.lower()}")
        return f"{direction} {confidence.winning:.0%} · {tr(f'outcome.{outcome}')}"
