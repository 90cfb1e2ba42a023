"""The bars of a window as candles, each over its column of the heat map."""

from collections.abc import Sequence

from glasstape import Bar, Direction
from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QPainter, QPen

from glasstape_qt.look.colours import Colours

MARGIN = 5
WIDEST = 14.0
"""Half of a candle's body, in pixels."""


def paint_strip(painter: QPainter, bars: Sequence[Bar], area: QRectF, colours: Colours) -> None:
    """Paint bars, oldest first, in columns of equal width; the prices fill the height."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    height, span, wide = area.height() - 2 * MARGIN, (high - low) or 1.0, area.width() / len(bars)

    def y(price: float) -> float:
        return area.top() + MARGIN + (high - price) / span * height

    for number, bar in enumerate(bars):
        middle = area.left() + (number + 0.5) * wide
        colour = colours.of(Direction.UP if bar.close >= bar.open else Direction.DOWN)
        painter.setPen(QPen(colour, 1.5))
        painter.drawLine(QPointF(middle, y(bar.high)), QPointF(middle, y(bar.low)))
        top, bottom = sorted((y(bar.open), y(bar.close)))
        half = min(WIDEST, wide / 4)
        painter.fillRect(QRectF(middle - half, top, 2 * half, max(1.5, bottom - top)), colour)
