"""The candles of a window, each above its column of the heat map."""

from collections.abc import Sequence

from glasstape import Bar, Direction
from PyQt6.QtCore import QPointF, QRectF
from PyQt6.QtGui import QPainter, QPen

from glasstape_qt.theme.colors import Colors

MARGIN = 5
MAX_HALF_WIDTH = 14.0
"""Half the width of a candle's body, in pixels."""


def paint_strip(painter: QPainter, bars: Sequence[Bar], area: QRectF, colors: Colors) -> None:
    """Paint bars, oldest first, in columns of equal width; prices are scaled to the height."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    height, span, wide = area.height() - 2 * MARGIN, (high - low) or 1.0, area.width() / len(bars)

    def y(price: float) -> float:
        return area.top() + MARGIN + (high - price) / span * height

    for number, bar in enumerate(bars):
        middle = area.left() + (number + 0.5) * wide
        color = colors.of(Direction.UP if bar.close >= bar.open else Direction.DOWN)
        painter.setPen(QPen(color, 1.5))
        painter.drawLine(QPointF(middle, y(bar.high)), QPointF(middle, y(bar.low)))
        top, bottom = sorted((y(bar.open), y(bar.close)))
        half = min(MAX_HALF_WIDTH, wide / 4)
        painter.fillRect(QRectF(middle - half, top, 2 * half, max(1.5, bottom - top)), color)
