"""The (time x feature) heat map: features down, bars across, the newest on the right."""

from datetime import UTC, tzinfo

import numpy as np
from glasstape import Explanation, Model
from glasstape.words import bar_labels
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

GREEN, PURPLE = QColor("#1b7837"), QColor("#762a83")
"""Speaks for the class, speaks against it: in no market's convention for up and down."""
NAMES_WIDTH = 130
HEADER_HEIGHT = 24


class HeatmapView(QWidget):
    """Paints one explanation; holds no truth of its own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._explanation: Explanation | None = None
        self._model: Model | None = None
        self._zone: tzinfo = UTC
        self.setMinimumSize(440, 260)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_map(self, explanation: Explanation | None, model: Model | None, zone: tzinfo = UTC) -> None:
        """Show another map; bars are named in the zone of their exchange."""
        self._explanation, self._model, self._zone = explanation, model, zone
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Cells with their numbers; the colour is full at the map's largest cell."""
        painter = QPainter(self)
        heatmap = self._explanation.heatmap if self._explanation is not None else None
        if heatmap is None or self._model is None:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "waiting for the heat map ...")
            return
        steps, width = heatmap.values.shape
        native, peak, (rows, columns) = heatmap.native, heatmap.full_colour, heatmap.edges
        cell_width = (self.width() - NAMES_WIDTH) / steps
        cell_height = (self.height() - HEADER_HEIGHT) / width
        times = self._explanation.bar_close_times if self._explanation is not None else ()
        label = bar_labels(times, steps, self._zone)
        for step in range(steps):
            box = QRectF(NAMES_WIDTH + step * cell_width, 0, cell_width, HEADER_HEIGHT)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label(step))
        for column, feature in enumerate(self._model.features):
            top = HEADER_HEIGHT + column * cell_height
            painter.drawText(
                QRectF(4, top, NAMES_WIDTH - 8, cell_height), Qt.AlignmentFlag.AlignVCenter, feature.name
            )
        # A map that is coarser than the window is painted in its own blocks.
        for row, column in np.ndindex(native.shape):
            value = float(native[row, column])
            left, top = NAMES_WIDTH + rows[row] * cell_width, HEADER_HEIGHT + columns[column] * cell_height
            wide, high = rows[row + 1] - rows[row], columns[column + 1] - columns[column]
            box = QRectF(left, top, wide * cell_width - 1, high * cell_height - 1)
            colour = cell_colour(value / peak)
            painter.fillRect(box, colour)
            painter.setPen(QColor("white" if colour.lightness() < 140 else "black"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"{value:+.3f}")


def cell_colour(share: float) -> QColor:
    """White at 0, green towards +1, purple towards -1."""
    full = GREEN if share >= 0 else PURPLE
    strength = min(1.0, abs(share)) if np.isfinite(share) else 0.0
    return QColor(*(round(255 + (c - 255) * strength) for c in (full.red(), full.green(), full.blue())))
