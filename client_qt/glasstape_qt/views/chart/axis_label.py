"""A label over an axis, in the coordinates of the scene."""

import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter
from PyQt6.QtWidgets import QApplication, QGraphicsItem, QStyleOptionGraphicsItem, QWidget

PADDING = 3


class AxisLabel(QGraphicsItem):
    """One or two lines of text on a filled rectangle, above everything else."""

    def __init__(self, scene: pg.GraphicsScene) -> None:
        super().__init__()
        self._text, self._background, self._color = "", QColor(), QColor()
        self.setZValue(1000)
        self.hide()
        scene.addItem(self)

    @property
    def text(self) -> str:
        """The shown text; "" while it is hidden."""
        return self._text if self.isVisible() else ""

    def set_colors(self, background: str | QColor, color: str | QColor) -> None:
        """Set the colors of the rectangle and its text."""
        self._background, self._color = QColor(background), QColor(color)
        self.update()

    def show_beside(self, point: QPointF, text: str, area: QRectF, *, below: bool = False) -> None:
        """Show a text right of a point, or centered below it; it stays within `area`."""
        self.prepareGeometryChange()
        self._text = text
        size = self.boundingRect()
        left = point.x() - size.width() / 2 if below else point.x()
        top = point.y() if below else point.y() - size.height() / 2
        left = min(max(left, area.left()), max(area.left(), area.right() - size.width()))
        top = min(max(top, area.top()), max(area.top(), area.bottom() - size.height()))
        self.setPos(left, top)
        self.show()

    def boundingRect(self) -> QRectF:
        """Return the rectangle of the text with its padding."""
        metrics = QFontMetricsF(QApplication.font())
        lines = self._text.split("\n")
        width = max(metrics.horizontalAdvance(line) for line in lines)
        return QRectF(0, 0, width + 2 * PADDING, metrics.height() * len(lines) + PADDING)

    def paint(
        self, painter: QPainter | None, option: QStyleOptionGraphicsItem | None, widget: QWidget | None = None
    ) -> None:
        """Paint the label."""
        if painter is None:
            return
        painter.setFont(QApplication.font())
        painter.fillRect(self.boundingRect(), self._background)
        painter.setPen(self._color)
        inner = self.boundingRect().adjusted(PADDING, 0, -PADDING, 0)
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self._text)
