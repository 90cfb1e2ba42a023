"""The (time × feature) heat map: features down, bars across, newest on the right, under their candles."""

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.chart.candle_strip import paint_strip
from glasstape_qt.views.detail.heatmap_content import HeatmapContent
from glasstape_qt.views.detail.heatmap_grid import HeatmapGrid
from glasstape_qt.views.detail.heatmap_painter import HeatmapPainter
from glasstape_qt.views.detail.heatmap_text import cell_description, feature_names

CELL_SIZE, COMPACT_CELL_SIZE = QSize(60, 24), QSize(36, 20)
"""Preferred size of a cell in pixels: its number fits."""
FRAME_SIZE, COMPACT_FRAME_SIZE = QSize(160, 168), QSize(14, 10)
"""Preferred size of what surrounds the cells: names, labels, candles and legend."""
NAMES_SHARE = 0.34
"""Share of the width that the names of features take at most."""
ROW_LINES = 0.92
"""Height of a row of cells at least, in lines of text."""
STRIP_ROOM = 60
"""Pixels beyond the least height, at the default text size, from which candles are painted above the cells."""
COMPACT_MARGIN = 10
"""Pixels left of the cells of a compact map without names: the first time of a bar fits."""
NO_NAMES = 6
"""Pixels left of the cells without names."""
MAX_SIZE = QSize(900, 700)
"""Limit of the preferred size; larger maps get smaller cells."""


class HeatmapView(QWidget):
    """Shows one explanation. Rows and columns are those of its map; a compact view has no numbers and no legend."""

    hovered = pyqtSignal(int)
    """Index of the bar under the mouse or the keyboard cursor, 0 = oldest; -1: none."""

    def __init__(
        self, appearance: Appearance, parent: QWidget | None = None, *, compact: bool = False
    ) -> None:
        super().__init__(parent)
        self.setObjectName("heatmapView")
        self._appearance, self._compact = appearance, compact
        self._content: HeatmapContent | None = None
        self._message = ""
        self._shape = (0, 0)
        self._names_width: int | None = 0 if compact else None
        self._highlighted_bar = -1
        self._cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if compact else Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        appearance.changed.connect(self.restyle)
        self.restyle()

    @property
    def content(self) -> HeatmapContent | None:
        """The shown map; None while a message is shown."""
        return self._content

    @property
    def message(self) -> str:
        """The text shown instead of a map."""
        return self._message

    @property
    def highlighted_bar(self) -> int:
        """Index of the marked column, 0 = oldest; -1: none."""
        return self._highlighted_bar

    @property
    def current_cell(self) -> tuple[int, int] | None:
        """Bar and feature of the cell under the mouse or the keyboard cursor."""
        return self._cell

    def restyle(self) -> None:
        """Apply theme and language."""
        self.setAccessibleName(tr("heatmap.title"))
        self._update_description()
        self.update()

    def show_content(self, content: HeatmapContent | None, message: str = "") -> None:
        """Show a map, or a message that says why there is none."""
        shape = _shape(content)
        if shape != _shape(self._content):
            self._cell, self._highlighted_bar = None, -1
        if shape is not None and shape != self._shape:
            self._shape = shape
            self.updateGeometry()
        self._content, self._message = content, message
        self._update_description()
        self.update()

    def set_names_width(self, width: int | None) -> None:
        """Set the pixels for the names of features; 0: none, None: as many as they take."""
        if width != self._names_width:
            self._names_width = width
            self.updateGeometry()
            self.update()

    def has_same_rows(self, other: "HeatmapView") -> bool:
        """Return whether both views show a map of the same features."""
        models = [view.content.model for view in (self, other) if view.content is not None]
        return len(models) == 2 and models[0].features == models[1].features

    def names_width(self, available: int) -> int:
        """Return the pixels that the names of features take of a width."""
        if self._content is None:
            return 0
        metrics = self.fontMetrics()
        widest = max(
            (metrics.horizontalAdvance(name) for name in feature_names(self._content.model)), default=60
        )
        return min(round(NAMES_SHARE * available), widest + 14)

    def highlight(self, bar: int) -> None:
        """Mark the column of a bar that is hovered elsewhere; -1: none."""
        if bar != self._highlighted_bar:
            self._highlighted_bar = bar
            self.update()

    def cell_rect(self, bar: int, feature: int) -> QRectF:
        """Return the rectangle of a cell in widget coordinates; empty without a map."""
        grid = self._grid()
        return grid.cell(bar, feature) if grid is not None else QRectF()

    def cell_description(self, bar: int, feature: int) -> str:
        """Return the tooltip of a cell; "" without a map."""
        return cell_description(self._content, bar, feature) if self._content is not None else ""

    def sizeHint(self) -> QSize:
        """Return a size at which the number of each cell fits, within limits."""
        cell = COMPACT_CELL_SIZE if self._compact else CELL_SIZE
        frame = COMPACT_FRAME_SIZE if self._compact else FRAME_SIZE
        bars, features = self._shape
        size = QSize(frame.width() + bars * cell.width(), frame.height() + features * cell.height())
        return size.boundedTo(MAX_SIZE).expandedTo(self.minimumSizeHint())

    def minimumSizeHint(self) -> QSize:
        """Return a size at which every name and number is readable at the size of the text."""
        if self._compact:
            lines = ROW_LINES * self._shape[1] + 1 if self._names_width != 0 else 5
            return QSize(120, max(90, round(lines * self.fontMetrics().height()) + 6))
        line = self.fontMetrics().height()
        height = round((ROW_LINES * self._shape[1] + 2) * line) + 30
        return QSize(
            round((150 if self._names_width == 0 else 300) * self._appearance.zoom), max(150, height)
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint candles, labels, cells and legend, or the message."""
        painter, theme = QPainter(self), self._appearance.theme
        painter.fillRect(self.rect(), QColor(theme.base))
        grid, content = self._grid(), self._content
        if grid is None or content is None:
            painter.setPen(QColor(theme.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            text = self._message or tr("heatmap.waiting")
            painter.drawText(self.rect().adjusted(12, 8, -12, -8), flags, text)
            return
        heatmap_painter = HeatmapPainter(painter, grid, content, self._appearance.colors)
        heatmap_painter.paint_cells(numbers=not self._compact)
        heatmap_painter.paint_bar_labels()
        if self._names_width != 0:
            heatmap_painter.paint_feature_names()
        if self._compact:
            return
        if content.bars and self._strip_height():
            strip = QRectF(grid.area.left(), 0, grid.area.width(), self._strip_height())
            paint_strip(painter, content.bars, strip, self._appearance.colors)
        heatmap_painter.paint_cursor(self._highlighted_bar, self._cell if self.hasFocus() else None)
        heatmap_painter.paint_legend(self.width())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Mark the hovered cell and show its tooltip."""
        if event is None:
            return
        cell = self._cell_at(event.position())
        self._set_cell(cell)
        if cell is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.cell_description(*cell), self)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Clear the hovered cell."""
        self._set_cell(None)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the keyboard cursor over the cells."""
        steps = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key())) if event is not None else None
        shape = _shape(self._content)
        if step is None or shape is None:
            super().keyPressEvent(event)
            return
        bars, features = shape
        bar, feature = self._cell or (bars - 1 - step[0], -step[1])
        self._set_cell((min(max(bar + step[0], 0), bars - 1), min(max(feature + step[1], 0), features - 1)))

    def _grid(self) -> HeatmapGrid | None:
        content, shape = self._content, _shape(self._content)
        if content is None or shape is None:
            return None
        metrics = self.fontMetrics()
        limit = self._names_width
        names = self.names_width(self.width()) if limit is None else max(NO_NAMES, limit)
        if self._compact:
            left = names if limit != 0 else COMPACT_MARGIN
            return HeatmapGrid(QRectF(self.rect()).adjusted(left, metrics.height() + 2, -2, -2), *shape)
        top = (self._strip_height() if content.bars else 0) + metrics.height() + 6
        height = self.height() - top - metrics.height() - 24
        return HeatmapGrid(QRectF(names, top, self.width() - names - 6, height), *shape)

    def _strip_height(self) -> float:
        zoom = self._appearance.zoom
        spare = self.height() - self.minimumSizeHint().height()
        return 0.0 if spare < STRIP_ROOM * zoom else min(float(spare), 90.0 * zoom)

    def _cell_at(self, point: QPointF) -> tuple[int, int] | None:
        """Return the cell at a point; a candle above the cells counts as its column's first cell."""
        grid = self._grid()
        if grid is None or self._content is None:
            return None
        return grid.cell_at(point, top=0.0 if self._content.bars else grid.area.top())

    def _set_cell(self, cell: tuple[int, int] | None) -> None:
        if cell != self._cell:
            self._cell = cell
            self._highlighted_bar = cell[0] if cell is not None else -1
            self._update_description()
            self.hovered.emit(self._highlighted_bar)
            self.update()

    def _update_description(self) -> None:
        if self._cell is not None:
            self.setAccessibleDescription(self.cell_description(*self._cell).replace("\n", ", "))
        else:
            self.setAccessibleDescription(self._message or tr("heatmap.help"))


def _shape(content: HeatmapContent | None) -> tuple[int, int] | None:
    heatmap = content.explanation.heatmap if content is not None else None
    if heatmap is None:
        return None
    bars, features = heatmap.values.shape
    return bars, features


if __name__ == "__main__":
    from glasstape_qt.preview import PreviewContext, run_preview

    def make(context: PreviewContext) -> QWidget:
        """Return a view of the newest recorded explanation."""
        view, explanation = HeatmapView(context.appearance), context.explanation()
        full = explanation.heatmap.full_color if explanation.heatmap is not None else 1.0
        view.show_content(HeatmapContent(explanation, context.model(), full_value=full))
        return view

    run_preview(make)
