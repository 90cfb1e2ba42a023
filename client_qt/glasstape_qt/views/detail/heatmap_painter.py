"""Painting of a heat map: cells, labels, cursor and legend."""

from collections.abc import Sequence

import numpy as np
from glasstape import Heatmap, Quantity
from glasstape.words import bar_labels
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QLinearGradient, QPainter, QPen

from glasstape_qt.i18n import tr
from glasstape_qt.theme.colors import Colors, readable
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_grid import HeatmapGrid
from glasstape_qt.views.detail.heatmap_text import feature_names

SLOPES = (Quantity.IMPORTANCE, Quantity.SENSITIVITY)
"""Quantities whose sign tells what an increase of the cell counts for."""
LEGEND_STOPS = 9
LABEL_MARGIN = 4
"""Pixels around the name of a bar."""
LEGEND_GAP = 12
"""Least pixels between the texts of both ends."""


class HeatmapPainter:
    """Paints one map with its labels; the content must have a heat map."""

    def __init__(self, painter: QPainter, grid: HeatmapGrid, content: HeatmapContent, colors: Colors) -> None:
        assert content.explanation.heatmap is not None
        self._painter, self._grid, self._content, self._colors = painter, grid, content, colors
        self._heatmap: Heatmap = content.explanation.heatmap
        self._signed = self._heatmap.quantity is not Quantity.RELEVANCE

    def paint_cells(self, *, numbers: bool) -> None:
        """Paint the map at its native resolution; with `numbers`, the value of each cell, if all of them fit."""
        painter, native = self._painter, self._heatmap.native_comparable
        cells = [(self._block(*place), float(native[place])) for place in np.ndindex(native.shape)]
        digits = self._content.digits
        texts = [_number(value, signed=self._signed, digits=digits) for _, value in cells]
        numbers = numbers and self._fit(texts, [block for block, _ in cells])
        for (block, value), text in zip(cells, texts, strict=True):
            color = self._colors.cell(value / self._content.full_value, signed=self._signed)
            painter.fillRect(block, color)
            if numbers:
                painter.setPen(readable(color))
                painter.drawText(block, Qt.AlignmentFlag.AlignCenter, text)
        painter.setPen(QPen(QColor(self._colors.theme.line), 1))
        painter.drawRect(self._grid.area.adjusted(-1, -1, 0, 0))

    def paint_cursor(self, bar: int, cell: tuple[int, int] | None) -> None:
        """Frame the column of a bar (-1: none), and a cell."""
        painter, grid, theme = self._painter, self._grid, self._colors.theme
        if 0 <= bar < grid.bars:
            column = grid.cell(bar, 0)
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(column.left(), 2, column.width(), grid.area.bottom() - 3))
        if cell is not None:
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawRect(grid.cell(*cell))

    def paint_legend(self, width: int) -> None:
        """Paint the color scale below the cells, with its ends in words over the whole `width`."""
        painter, area = self._painter, self._grid.area
        bar = QRectF(area.left(), area.bottom() + 6, area.width(), 9)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for stop in np.linspace(0, 1, LEGEND_STOPS):
            share = float(2 * stop - 1 if self._signed else stop)
            gradient.setColorAt(float(stop), self._colors.cell(share, signed=self._signed))
        painter.fillRect(bar, gradient)
        painter.setPen(QColor(self._colors.theme.text))
        box = QRectF(6, bar.bottom() + 1, width - 12, painter.fontMetrics().height() + 2)
        metrics = painter.fontMetrics()
        left, right = self._legend_texts()
        if metrics.horizontalAdvance(left) + metrics.horizontalAdvance(right) + LEGEND_GAP > box.width():
            left, right = self._legend_numbers()
            box = QRectF(area.left(), box.top(), area.width(), box.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, left)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, right)

    def _block(self, row: int, column: int) -> QRectF:
        """Return the rectangle of a native cell."""
        rows, columns = self._heatmap.edges
        return self._grid.block((rows[row], rows[row + 1]), (columns[column], columns[column + 1]))

    def _fit(self, texts: Sequence[str], blocks: Sequence[QRectF]) -> bool:
        metrics = self._painter.fontMetrics()
        return all(
            metrics.horizontalAdvance(text) < block.width() - 2 and metrics.capHeight() < block.height()
            for text, block in zip(texts, blocks, strict=True)
        )

    def _legend_numbers(self) -> tuple[str, str]:
        full = f"{self._content.full_value:.3g}"
        return (f"−{full}", f"+{full}") if self._signed else ("0", full)

    def _legend_texts(self) -> tuple[str, str]:
        if self._content.legend is not None:
            return self._content.legend
        full, target = f"{self._content.full_value:.3g}", self._content.explanation.target
        if not self._signed or target is None:
            return "0", tr("heatmap.amount", full=full)
        direction = tr(f"direction.{target.name.lower()}")
        if self._heatmap.quantity in SLOPES:
            against = tr("heatmap.increase_opposes", direction=direction, full=f"−{full}")
            return against, tr("heatmap.increase_supports", direction=direction, full=f"+{full}")
        opposes = tr("heatmap.opposes", direction=direction, full=f"−{full}")
        return opposes, tr("heatmap.supports", direction=direction, full=f"+{full}")

    def paint_bar_labels(self) -> None:
        """Paint the times of bars above their columns."""
        self._painter.setPen(QColor(self._colors.theme.text))
        grid, metrics = self._grid, self._painter.fontMetrics()
        label = bar_labels(self._content.explanation.bar_close_times, grid.bars, self._content.zone)
        widest = max(metrics.horizontalAdvance(label(bar)) for bar in range(grid.bars))
        for bar, box in grid.bar_labels(widest + LABEL_MARGIN, metrics.height()):
            self._painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label(bar))

    def paint_feature_names(self) -> None:
        """Paint the names of features beside their rows."""
        self._painter.setPen(QColor(self._colors.theme.text))
        metrics, names = self._painter.fontMetrics(), feature_names(self._content.model)
        tallest = max(
            metrics.tightBoundingRect(name).height() for name in names
        )  # Hangul is higher than capitals
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextDontClip
        for feature, box in self._grid.feature_labels(tallest):
            text = metrics.elidedText(names[feature], Qt.TextElideMode.ElideRight, int(box.width()))
            self._painter.drawText(box, flags, text)


def _number(value: float, *, signed: bool, digits: int) -> str:
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return "0" if text.strip("+-0.") == "" else text
