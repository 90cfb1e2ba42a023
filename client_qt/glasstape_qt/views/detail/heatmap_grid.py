"""Geometry of a heat map's cells and labels."""

from dataclasses import dataclass
from math import ceil

from PyQt6.QtCore import QPointF, QRectF

LABEL_GAP = 6
"""Pixels between two labels, and between labels and cells."""


@dataclass(frozen=True)
class HeatmapGrid:
    """A grid of `bars` columns and `features` rows that fills `area` (widget coordinates)."""

    area: QRectF
    bars: int
    features: int

    @property
    def cell_width(self) -> float:
        """Width of a column in pixels."""
        return self.area.width() / self.bars

    @property
    def cell_height(self) -> float:
        """Height of a row in pixels."""
        return self.area.height() / self.features

    def cell(self, bar: int, feature: int) -> QRectF:
        """Return the rectangle of one cell."""
        return self.block((bar, bar + 1), (feature, feature + 1))

    def block(self, bars: tuple[int, int], features: tuple[int, int]) -> QRectF:
        """Return the rectangle of a block of cells, without its right and lower border.

        Args:
            bars: first column, and the one after the last.
            features: first row, and the one after the last.
        """
        width, height = self.cell_width, self.cell_height
        return QRectF(
            self.area.left() + bars[0] * width,
            self.area.top() + features[0] * height,
            (bars[1] - bars[0]) * width - 1,
            (features[1] - features[0]) * height - 1,
        )

    def cell_at(self, point: QPointF, *, top: float) -> tuple[int, int] | None:
        """Return bar and feature of the cell at a point; None outside.

        Args:
            point: in widget coordinates.
            top: points between here and the first row count as that row.
        """
        area = self.area
        if not (area.left() <= point.x() < area.right() and top <= point.y() < area.bottom()):
            return None
        bar = int((point.x() - area.left()) / self.cell_width)
        feature = int((point.y() - area.top()) / self.cell_height)
        return min(bar, self.bars - 1), min(max(0, feature), self.features - 1)

    def bar_labels(self, width: float, height: float) -> list[tuple[int, QRectF]]:
        """Return the bars that get a label above their column, newest first, with its rectangle.

        The newest bar always has one; others have one where it fits.

        Args:
            width: of the widest label, in pixels.
            height: of a label, in pixels.
        """
        box_width = max(width, self.cell_width)
        gap = LABEL_GAP if width > self.cell_width else -0.5  # adjacent columns may differ by rounding
        labels: list[tuple[int, QRectF]] = []
        for bar in reversed(range(self.bars)):
            center = self.area.left() + (bar + 0.5) * self.cell_width
            left = min(center - box_width / 2, self.area.right() - box_width)
            if not labels or left + box_width + gap <= labels[-1][1].left():
                labels.append((bar, QRectF(left, self.area.top() - height - 4, box_width, height)))
        return labels

    def feature_labels(self, height: float) -> list[tuple[int, QRectF]]:
        """Return the features that get a label left of their row, with its rectangle.

        Rows lower than `height` skip as many labels as needed, evenly.
        """
        step = max(1, ceil(height / self.cell_height))
        width = self.area.left() - 2 * LABEL_GAP
        return [
            (feature, QRectF(LABEL_GAP, self.cell(0, feature).top(), width, self.cell_height))
            for feature in range(0, self.features, step)
        ]
