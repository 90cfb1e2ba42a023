"""Candles and columns of volume, recorded for the bars in view instead of drawn at every repaint."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite

import pyqtgraph as pg
from glasstape import Bar
from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QPainter, QPicture

from glasstape_qt.views.chart.price_scale import PriceScale

BODY_WIDTH = 0.7
"""Width of a candle's body, in bars."""
MAX_BODIES = 1500
"""With more bars in view, their ranges alone are drawn: bodies would be narrower than a pixel."""

Numbered = Sequence[tuple[int, Bar]]


class PictureItem(pg.GraphicsObject):
    """A graphics item that paints a recorded picture."""

    def __init__(self) -> None:
        super().__init__()
        self._picture, self._rect = QPicture(), QRectF()

    def set_picture(self, picture: QPicture, rect: QRectF) -> None:
        """Show a picture whose bounding rectangle is `rect`."""
        self.prepareGeometryChange()
        self._picture, self._rect = picture, rect
        self.update()

    def paint(self, painter: QPainter, *_: object) -> None:
        """Paint the picture."""
        painter.drawPicture(0, 0, self._picture)

    def boundingRect(self) -> QRectF:
        """Return the bounding rectangle of the picture."""
        return self._rect


def draw_candles(bars: Numbered, up: QColor, down: QColor, scale: PriceScale) -> QPicture:
    """Return candles: wicks from low to high, bodies from open to close; those that still form are hollow."""
    y = scale.to_y
    ranges_only = len(bars) > MAX_BODIES
    half = BODY_WIDTH / 2

    def draw(painter: QPainter, numbered: Numbered, color: QColor) -> None:
        painter.setPen(pg.mkPen(color))
        if ranges_only:
            _draw_lines(painter, (QLineF(n, y(bar.low), n, y(bar.high)) for n, bar in numbered))
            return
        closed = [(n, bar) for n, bar in numbered if not bar.provisional]
        painter.setBrush(pg.mkBrush(color))
        _draw_lines(
            painter, (QLineF(n, y(bar.low), n, y(bar.high)) for n, bar in closed if bar.high > bar.low)
        )
        flat = ((n, bar.close) for n, bar in numbered if bar.open == bar.close)
        _draw_lines(painter, (QLineF(n - half, y(close), n + half, y(close)) for n, close in flat))
        _draw_rects(painter, (_body(n, bar, scale) for n, bar in closed))
        painter.setBrush(QBrush(Qt.BrushStyle.NoBrush))
        for n, bar in numbered:
            if bar.provisional:
                top, bottom = y(max(bar.open, bar.close)), y(min(bar.open, bar.close))
                _draw_lines(painter, [QLineF(n, y(bar.low), n, bottom), QLineF(n, top, n, y(bar.high))])
                _draw_rects(painter, [_body(n, bar, scale)])

    return _draw(bars, up, down, draw)


def draw_volumes(bars: Numbered, up: QColor, down: QColor) -> QPicture:
    """Return columns of volume, in the faded colors of their candles."""

    def draw(painter: QPainter, numbered: Numbered, color: QColor) -> None:
        faded = QColor(color)
        faded.setAlpha(140)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(pg.mkBrush(faded))
        _draw_rects(painter, (QRectF(n - BODY_WIDTH / 2, 0, BODY_WIDTH, bar.volume) for n, bar in numbered))

    return _draw(bars, up, down, draw)


def has_prices(bar: Bar) -> bool:
    """Return whether a bar can be drawn: none of its values is NaN."""
    return isfinite(bar.open + bar.high + bar.low + bar.close + bar.volume)


def _body(number: int, bar: Bar, scale: PriceScale) -> QRectF:
    first, last = scale.to_y(bar.open), scale.to_y(bar.close)
    return QRectF(number - BODY_WIDTH / 2, first, BODY_WIDTH, last - first)


def _draw(
    bars: Numbered, up: QColor, down: QColor, draw: Callable[[QPainter, Numbered, QColor], None]
) -> QPicture:
    picture = QPicture()
    painter = QPainter(picture)
    for color, rising in ((up, True), (down, False)):
        draw(painter, [(n, bar) for n, bar in bars if (bar.close >= bar.open) is rising], color)
    painter.end()
    return picture


def _draw_lines(painter: QPainter, lines: Iterable[QLineF]) -> None:
    drawn = list(lines)
    if drawn:
        painter.drawLines(*drawn)


def _draw_rects(painter: QPainter, rects: Iterable[QRectF]) -> None:
    drawn = list(rects)
    if drawn:
        painter.drawRects(*drawn)
