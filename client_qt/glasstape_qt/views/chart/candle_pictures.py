"""Pictures of candles and volumes, drawn once per change instead of once per repaint."""

from collections.abc import Callable, Iterable, Sequence

import pyqtgraph as pg
from glasstape import Bar
from PyQt6.QtCore import QLineF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPicture

BODY_WIDTH = 0.7
"""Width of a candle's body, in bars."""


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


def draw_candles(bars: Sequence[Bar], up: QColor, down: QColor) -> QPicture:
    """Return candles at x = 0, 1, …; wicks from low to high, bodies from open to close."""

    def draw(painter: QPainter, numbered: Sequence[tuple[int, Bar]], color: QColor) -> None:
        painter.setPen(pg.mkPen(color))
        painter.setBrush(pg.mkBrush(color))
        half = BODY_WIDTH / 2
        lines = [QLineF(n, bar.low, n, bar.high) for n, bar in numbered if bar.high > bar.low]
        lines += [
            QLineF(n - half, bar.close, n + half, bar.close) for n, bar in numbered if bar.open == bar.close
        ]
        if lines:
            painter.drawLines(*lines)
        _draw_rects(painter, (QRectF(n - half, b.open, BODY_WIDTH, b.close - b.open) for n, b in numbered))

    return _draw(bars, up, down, draw)


def draw_volumes(bars: Sequence[Bar], up: QColor, down: QColor) -> QPicture:
    """Return columns of volume at x = 0, 1, …, in the faded colors of their candles."""

    def draw(painter: QPainter, numbered: Sequence[tuple[int, Bar]], color: QColor) -> None:
        faded = QColor(color)
        faded.setAlpha(140)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(pg.mkBrush(faded))
        _draw_rects(painter, (QRectF(n - BODY_WIDTH / 2, 0, BODY_WIDTH, bar.volume) for n, bar in numbered))

    return _draw(bars, up, down, draw)


def _draw(
    bars: Sequence[Bar],
    up: QColor,
    down: QColor,
    draw: Callable[[QPainter, Sequence[tuple[int, Bar]], QColor], None],
) -> QPicture:
    picture = QPicture()
    painter = QPainter(picture)
    for color, rising in ((up, True), (down, False)):
        draw(painter, [(n, bar) for n, bar in enumerate(bars) if (bar.close >= bar.open) is rising], color)
    painter.end()
    return picture


def _draw_rects(painter: QPainter, rects: Iterable[QRectF]) -> None:
    drawn = list(rects)
    if drawn:
        painter.drawRects(*drawn)
