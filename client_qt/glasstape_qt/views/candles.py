"""The price chart: candles and volume, the model's input window, past signals with what came of them."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from math import isfinite
from typing import Any

import pyqtgraph as pg
from glasstape import Bar, ConfidenceEvent, Direction
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QPicture
from PyQt6.QtWidgets import QWidget

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.detail import Detail
from glasstape_qt.views.axes import AmountAxis, TimeAxis

SHOWN = 60
"""Bars in view when a chart opens."""
SYMBOLS = {True: "o", False: "x"}
"""Hit and miss; what is pending points in its direction."""


class CandleChart(pg.GraphicsLayoutWidget):
    """Follows a `Detail`; the mouse on a bar is told, and can be told."""

    hovered = pyqtSignal(int)
    """Index of the bar under the mouse; -1: none."""
    told = pyqtSignal(str)
    """The bar under the mouse, else the newest, in words."""
    moved = pyqtSignal()
    """The trader has moved the view."""
    reopened = pyqtSignal(object)
    """Sequence of a past signal whose marker was clicked."""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("candleChart")
        self._appearance = appearance
        self.setMinimumHeight(90)
        self._detail: Detail | None = None
        self._zone: tzinfo = UTC
        self._steps = 0
        self._decimals: int | None = None
        self._follow = True
        self._axis = TimeAxis()
        self._price = self.addPlot(row=0, col=0)
        self._volume = self.addPlot(
            row=1, col=0, axisItems={"bottom": self._axis, "left": AmountAxis("left")}
        )
        self.ci.layout.setRowStretchFactor(0, 4)
        self.ci.layout.setRowStretchFactor(1, 1)
        self._volume.setXLink(self._price)
        self._candles, self._volumes = _Candles(), _Candles()
        self._window = pg.LinearRegionItem(movable=False)
        self._marks = pg.ScatterPlotItem(pxMode=True, hoverable=True, tip=None)
        self._marks.sigClicked.connect(self._clicked)
        self.scene().sigMouseClicked.connect(self._double_clicked)
        self._cross = pg.InfiniteLine(angle=90, movable=False)
        for item in (self._window, self._candles, self._marks, self._cross):
            self._price.addItem(item)
        self._volume.addItem(self._volumes)
        self._cross.hide()
        for plot in (self._price, self._volume):
            plot.hideButtons()
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(x=True, y=False)
            plot.showGrid(x=False, y=True, alpha=0.15)
            plot.getAxis("left").setWidth(64)
        self._price.getAxis("bottom").setStyle(showValues=False)
        self._price.vb.sigRangeChangedManually.connect(self._moved)
        self._price.vb.sigXRangeChanged.connect(self._fit_height)
        self.scene().sigMouseMoved.connect(self._mouse)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        theme = self._appearance.theme
        self.setBackground(theme.base)
        self.setAccessibleName(say("chart.title"))
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
        self._cross.setPen(pg.mkPen(theme.muted, style=Qt.PenStyle.DashLine))
        if self._detail is not None:
            self.show_detail(self._detail, self._zone, self._steps, self._decimals)

    def show_detail(self, detail: Detail, zone: tzinfo, steps: int, decimals: int | None = None) -> None:
        """Show bars and signals; `steps` is the length of the model's input, `decimals` those of prices."""
        first = self._detail is not detail
        self._detail, self._zone, self._steps, self._decimals = detail, zone, steps, decimals
        up, down = (self._appearance.colours.of(d) for d in (Direction.UP, Direction.DOWN))
        low, high = (
            min((b.low for b in detail.bars), default=0),
            max((b.high for b in detail.bars), default=1),
        )
        most = max((bar.volume for bar in detail.bars), default=1.0)
        count = len(detail.bars)
        self._candles.draw(_candle_picture(detail.bars, up, down), QRectF(-1, low, count + 1, high - low))
        self._volumes.draw(_volume_picture(detail.bars, up, down), QRectF(-1, 0, count + 1, most))
        self._axis.bars = detail.bars
        self._axis.zone = zone
        self._mark_signals(detail)
        window = detail.window(steps)
        self._window.setVisible(window is not None)
        if window is not None:
            self._window.setRegion((window[0] - 0.5, window[1] + 0.5))
        if first or self._follow:
            self.follow()
        self._fit_height()
        self._say_bar(len(detail.bars) - 1)
        self.setAccessibleDescription(
            say("chart.help", bars=len(detail.bars)) if detail.bars else say("chart.empty")
        )

    def follow(self) -> None:
        """Show the newest bars, and go on with them."""
        self._follow = True
        count = len(self._detail.bars) if self._detail is not None else 0
        self._price.setXRange(max(-1.0, count - SHOWN - 0.5), max(count, 6) + 0.5, padding=0)

    @property
    def following(self) -> bool:
        """Whether new bars move the view."""
        return self._follow

    def highlight(self, index: int) -> None:
        """Mark a bar that the mouse is over elsewhere; -1: none."""
        self._cross.setVisible(index >= 0)
        self._cross.setPos(index)
        count = len(self._detail.bars) if self._detail is not None else 0
        self._say_bar(index if index >= 0 else count - 1)

    def _mark_signals(self, detail: Detail) -> None:
        spots: list[dict[str, Any]] = []
        positions = {bar.close_time: number for number, bar in enumerate(detail.bars)}
        for event in detail.signals:
            number = positions.get(event.bar_close_time)
            direction = event.signal.confidence.direction
            if number is None or direction is Direction.FLAT:
                continue
            bar, colour = detail.bars[number], QColor(self._appearance.colours.of(direction))
            verdict = detail.verdict(event)
            hollow = verdict is None
            spots.append(
                {
                    "pos": (number, bar.low if direction is Direction.UP else bar.high),
                    "size": 5 + 26 * max(0.0, event.signal.confidence.winning - 1 / 3),
                    "symbol": SYMBOLS[verdict is True]
                    if not hollow
                    else ("t1" if direction is Direction.UP else "t"),
                    "pen": pg.mkPen(self._appearance.theme.text, width=1)
                    if not hollow
                    else pg.mkPen(colour, width=2),
                    "brush": None if hollow else pg.mkBrush(colour),
                    "data": event.sequence,
                }
            )
        self._marks.setData(spots)

    def _clicked(self, _: object, points: Sequence[Any], __: object) -> None:
        if len(points):
            self.reopened.emit(points[0].data())

    def _double_clicked(self, event: Any) -> None:
        """A double-click on a bar reopens the signal that was made at its close, FLAT ones too."""
        if self._detail is None or not event.double():
            return
        index = round(self._price.vb.mapSceneToView(event.scenePos()).x())
        if 0 <= index < len(self._detail.bars):
            closed = self._detail.bars[index].close_time
            found = [signal for signal in self._detail.signals if signal.bar_close_time == closed]
            if found:
                self.reopened.emit(found[-1].sequence)

    def _moved(self, *_: object) -> None:
        right = self._price.vb.viewRange()[0][1]
        count = len(self._detail.bars) if self._detail is not None else 0
        self._follow = right >= count - 0.5
        self.moved.emit()

    def _fit_height(self, *_: object) -> None:
        if self._detail is None or not self._detail.bars:
            return
        low, high = self._price.vb.viewRange()[0]
        seen = self._detail.bars[max(0, int(low)) : max(1, int(high) + 1)] or self._detail.bars[-1:]
        seen = [bar for bar in seen if isfinite(bar.low + bar.high + bar.volume)]
        if not seen:
            return
        bottom, top = min(bar.low for bar in seen), max(bar.high for bar in seen)
        room = (top - bottom) * 0.12 or abs(top) * 0.01 or 1.0
        self._price.setYRange(bottom - room, top + room, padding=0)
        self._volume.setYRange(0, max(bar.volume for bar in seen) * 1.1 or 1.0, padding=0)

    def _mouse(self, position: QPointF) -> None:
        inside = self._price.sceneBoundingRect().contains(position)
        count = len(self._detail.bars) if self._detail is not None else 0
        index = round(self._price.vb.mapSceneToView(position).x()) if inside else -1
        index = index if 0 <= index < count else -1
        self.highlight(index)
        self.hovered.emit(index)

    def _say_bar(self, index: int) -> None:
        if self._detail is None or not 0 <= index < len(self._detail.bars):
            self.told.emit(say("chart.empty"))
            return
        bar = self._detail.bars[index]
        here = bar.close_time.astimezone(self._zone)
        words = [
            f"{here:%Y-%m-%d %H:%M}",
            say("chart.bar", open=self._number(bar.open), high=self._number(bar.high), low=self._number(bar.low),
                close=self._number(bar.close), volume=f"{bar.volume:,.0f}"),
        ]  # fmt: skip
        words += [
            self._said(event) for event in self._detail.signals if event.bar_close_time == bar.close_time
        ]
        self.told.emit("   ".join(words))

    def _number(self, value: float) -> str:
        return f"{value:,.{self._decimals}f}" if self._decimals is not None else f"{value:,.6g}"

    def _said(self, event: ConfidenceEvent) -> str:
        said = event.signal.confidence
        verdict = self._detail.verdict(event) if self._detail is not None else None
        came = {True: "hit", False: "miss", None: "pending"}[verdict]
        direction = say(f"direction.{said.direction.name.lower()}")
        return f"{direction} {said.winning:.0%} · {say(f'outcome.{came}')}"


class _Candles(pg.GraphicsObject):
    """A recorded picture: drawn once for each change, not once for each repaint."""

    def __init__(self) -> None:
        super().__init__()
        self._picture, self._rect = QPicture(), QRectF()

    def draw(self, picture: QPicture, rect: QRectF) -> None:
        self.prepareGeometryChange()
        self._picture, self._rect = picture, rect
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        painter.drawPicture(0, 0, self._picture)

    def boundingRect(self) -> QRectF:
        return self._rect


def _candle_picture(bars: Sequence[Bar], up: QColor, down: QColor) -> QPicture:
    picture = QPicture()
    painter = QPainter(picture)
    for colour, rising in ((up, True), (down, False)):
        chosen = [(n, bar) for n, bar in enumerate(bars) if (bar.close >= bar.open) is rising]
        painter.setPen(pg.mkPen(colour))
        painter.setBrush(pg.mkBrush(colour))
        lines = [QLineF(n, bar.low, n, bar.high) for n, bar in chosen if bar.high > bar.low]
        lines += [
            QLineF(n - 0.35, bar.close, n + 0.35, bar.close) for n, bar in chosen if bar.open == bar.close
        ]
        if lines:
            painter.drawLines(*lines)
        if chosen:
            painter.drawRects(*(QRectF(n - 0.35, bar.open, 0.7, bar.close - bar.open) for n, bar in chosen))
    painter.end()
    return picture


def _volume_picture(bars: Sequence[Bar], up: QColor, down: QColor) -> QPicture:
    picture = QPicture()
    painter = QPainter(picture)
    for colour, rising in ((up, True), (down, False)):
        faint = QColor(colour)
        faint.setAlpha(140)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(pg.mkBrush(faint))
        chosen = [(n, bar) for n, bar in enumerate(bars) if (bar.close >= bar.open) is rising]
        if chosen:
            painter.drawRects(*(QRectF(n - 0.35, 0, 0.7, bar.volume) for n, bar in chosen))
    painter.end()
    return picture
