"""Pictures of a chart for files: PNG and SVG, with a line that says what is shown."""

from pathlib import Path

from PyQt6.QtCore import QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QImage, QPainter
from PyQt6.QtSvg import QSvgGenerator
from PyQt6.QtWidgets import QGraphicsView

from glasstape_qt.theme.colors import Theme

MARGIN = 6
PNG_SCALE = 2
"""Pixels of a PNG per pixel of the screen."""


def save_picture(path: Path, view: QGraphicsView, caption: str, theme: Theme) -> None:
    """Write what a view shows, with a caption below it.

    Args:
        path: ends in .svg for a vector graphic, else in .png.
        view: the chart.
        caption: one line; it is wrapped to the width.
        theme: colors of the caption.

    Raises:
        OSError: the file cannot be written.
    """
    viewport = view.viewport()
    rect = QRectF(viewport.rect() if viewport is not None else view.rect())
    text = view.fontMetrics().boundingRect(
        QRect(0, 0, int(rect.width()) - 2 * MARGIN, 10_000), int(Qt.TextFlag.TextWordWrap), caption
    )
    size = QSize(int(rect.width()), int(rect.height()) + text.height() + 2 * MARGIN)
    if path.suffix.lower() == ".svg":
        generator = QSvgGenerator()
        generator.setFileName(str(path))
        generator.setSize(size)
        generator.setViewBox(QRect(0, 0, size.width(), size.height()))
        generator.setTitle(caption)
        painter = QPainter()
        if not painter.begin(generator):
            raise OSError(f"{path}: cannot be written")
        _paint(painter, view, rect, caption, theme, size)
        painter.end()
        return
    image = QImage(size * PNG_SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(PNG_SCALE)
    image.setText("Description", caption)
    painter = QPainter(image)
    _paint(painter, view, rect, caption, theme, size)
    painter.end()
    if not image.save(str(path), "PNG"):
        raise OSError(f"{path}: cannot be written")


def _paint(
    painter: QPainter, view: QGraphicsView, rect: QRectF, caption: str, theme: Theme, size: QSize
) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillRect(QRect(0, 0, size.width(), size.height()), QColor(theme.base))
    view.render(painter, rect, rect.toRect())
    painter.setFont(view.font())
    painter.setPen(QColor(theme.text))
    below = QRect(MARGIN, int(rect.height()) + MARGIN, size.width() - 2 * MARGIN, size.height())
    painter.drawText(below, int(Qt.TextFlag.TextWordWrap), caption)
