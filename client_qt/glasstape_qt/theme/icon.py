"""The icon of the application, painted: three cells of a heat map under a candle."""

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap

from glasstape_qt.theme.colors import DARK, LIGHT

SIZES = (16, 24, 32, 48, 64, 128)


def application_icon() -> QIcon:
    """Return the icon in every size that desktops ask for."""
    icon = QIcon()
    for size in SIZES:
        icon.addPixmap(_painted(size))
    return icon


def _painted(size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 16, size / 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(DARK.base))
    painter.drawRoundedRect(QRectF(0, 0, 16, 16), 3, 3)
    painter.fillRect(QRectF(7.4, 1.5, 1.2, 9), QColor(DARK.text))
    painter.fillRect(QRectF(5.5, 3.5, 5, 5), QColor(DARK.text))
    for number, color in enumerate((LIGHT.opposes, DARK.line, LIGHT.supports)):
        painter.fillRect(QRectF(2 + 4.2 * number, 11.2, 3.6, 3), QColor(color))
    painter.end()
    return pixmap
