"""The (time x feature) heat map: features down, bars across, the newest on the right, under their candles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np
from glasstape import Bar, Explanation, Model, Quantity
from glasstape.words import bar_labels, feature_name
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from glasstape_qt.i18n import language, say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.look.colours import readable
from glasstape_qt.views.candle_strip import paint_strip


@dataclass(frozen=True)
class Picture:
    """What a heat map shows."""

    explanation: Explanation
    model: Model
    bars: Sequence[Bar] = ()
    """Of the window, oldest first; empty where they are not at hand."""
    zone: tzinfo = UTC
    full: float = 1.0
    """What the strongest colour stands for."""


class HeatmapView(QWidget):
    """Paints one explanation; holds no truth of its own."""

    hovered = pyqtSignal(int)
    """Index of the bar under the mouse or the cursor keys, 0 = oldest; -1: none."""

    def __init__(
        self, appearance: Appearance, parent: QWidget | None = None, *, compact: bool = False
    ) -> None:
        super().__init__(parent)
        self.setObjectName("heatmapView")
        self._appearance, self._compact = appearance, compact
        self._picture: Picture | None = None
        self._message = ""
        self._column = -1
        self._cell: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if compact else Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        self.setAccessibleName(say("heatmap.title"))
        self._describe()
        self.update()

    def show_picture(self, picture: Picture | None, message: str = "") -> None:
        """Show a map, or a sentence that says why there is none."""
        if _shape(picture) != _shape(self._picture):
            self._cell, self._column = None, -1
        self._picture, self._message = picture, message
        self._describe()
        self.update()

    @property
    def picture(self) -> Picture | None:
        """What is shown."""
        return self._picture

    def highlight(self, column: int) -> None:
        """Mark the column of a bar that the mouse is over elsewhere; -1: none."""
        if column != self._column:
            self._column = column
            self.update()

    def sizeHint(self) -> QSize:
        """Room for numbers in 6 x 8 cells."""
        return QSize(*((230, 170) if self._compact else (520, 360)))

    def minimumSizeHint(self) -> QSize:
        """Room for names and colours."""
        return QSize(*((120, 90) if self._compact else (300, 150)))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Candles, bar labels, cells with their numbers, legend."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(self._appearance.theme.base))
        picture = self._picture
        if picture is None or picture.explanation.heatmap is None:
            painter.setPen(QColor(self._appearance.theme.muted))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(
                self.rect().adjusted(12, 8, -12, -8), flags, self._message or say("heatmap.waiting")
            )
            return
        self._paint_cells(painter, picture)
        if not self._compact:
            self._paint_frame(painter, picture)
            self._paint_legend(painter, picture)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Tell the bar, and show the cell's numbers."""
        if event is None:
            return
        cell = self._at(event.position())
        self._point(cell)
        if cell is None:
            QToolTip.hideText()
        else:
            QToolTip.showText(event.globalPosition().toPoint(), self.sentence(*cell), self)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Nothing is pointed at."""
        self._point(None)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Cursor keys walk over the cells."""
        steps = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        step = steps.get(Qt.Key(event.key())) if event is not None else None
        if step is None or self._picture is None or self._picture.explanation.heatmap is None:
            super().keyPressEvent(event)
            return
        bars, features = self._picture.explanation.heatmap.values.shape
        bar, feature = self._cell or (bars - 1 - step[0], -step[1])
        self._point((min(max(bar + step[0], 0), bars - 1), min(max(feature + step[1], 0), features - 1)))

    def sentence(self, bar: int, feature: int) -> str:
        """One cell in words: its value, how unusual it is, what it did."""
        picture = self._picture
        if picture is None or picture.explanation.heatmap is None:
            return ""
        explanation, described = picture.explanation, picture.model.features[feature]
        heatmap = explanation.heatmap
        assert heatmap is not None
        label = bar_labels(explanation.bar_close_times, heatmap.values.shape[0], picture.zone)
        lines = [f"{feature_name(described.name, language())} · {label(bar)}"]
        if explanation.window is not None:
            value = float(explanation.window[bar, feature])
            z = (value - described.mean) / (described.standard_deviation or 1.0)
            lines.append(say("heatmap.value", value=f"{value:.4g}", z=f"{z:+.2f}"))
        quantity = say(f"quantity.{heatmap.quantity.value}")
        lines.append(f"{quantity}: {float(heatmap.values[bar, feature]):+.4f}")
        if heatmap.native_shape != heatmap.values.shape:
            lines.append(say("heatmap.coarse", rows=heatmap.native_shape[0], columns=heatmap.native_shape[1]))
        if described.description:
            lines.append(described.description)
        return "\n".join(lines)

    def _area(self) -> QRectF:
        if self._compact:
            return QRectF(self.rect()).adjusted(2, 2, -2, -2)
        height = self.fontMetrics().height()
        names = min(0.34 * self.width(), self._names_width())
        top = (self._strip_height() if self._picture and self._picture.bars else 0) + height + 6
        return QRectF(names, top, self.width() - names - 6, self.height() - top - height - 24)

    def _strip_height(self) -> float:
        return min(0.24 * self.height(), 90.0 * self._appearance.zoom)

    def _names_width(self) -> float:
        assert self._picture is not None
        names = [feature_name(feature.name, language()) for feature in self._picture.model.features]
        return max((self.fontMetrics().horizontalAdvance(name) for name in names), default=60) + 14

    def _at(self, point: QPointF) -> tuple[int, int] | None:
        if self._picture is None or self._picture.explanation.heatmap is None:
            return None
        area, (bars, features) = self._area(), self._picture.explanation.heatmap.values.shape
        inside = area.left() <= point.x() < area.right() and point.y() < area.bottom()
        if not inside or point.y() < (0 if self._picture.bars else area.top()):
            return None
        bar = int((point.x() - area.left()) / area.width() * bars)
        feature = int((point.y() - area.top()) / area.height() * features)
        return bar, max(0, feature)

    def _point(self, cell: tuple[int, int] | None) -> None:
        if cell != self._cell:
            self._cell = cell
            self._column = cell[0] if cell is not None else -1
            self._describe()
            self.hovered.emit(self._column)
            self.update()

    def _describe(self) -> None:
        if self._cell is not None:
            self.setAccessibleDescription(self.sentence(*self._cell).replace("\n", ", "))
        else:
            self.setAccessibleDescription(self._message or say("heatmap.help"))

    def _paint_cells(self, painter: QPainter, picture: Picture) -> None:
        heatmap = picture.explanation.heatmap
        assert heatmap is not None
        area, colours = self._area(), self._appearance.colours
        bars, features = heatmap.values.shape
        wide, high = area.width() / bars, area.height() / features
        native, (rows, columns) = heatmap.native, heatmap.edges
        signed = heatmap.quantity is not Quantity.RELEVANCE
        # A map that is coarser than the window is painted in its own blocks.
        for row, column in np.ndindex(native.shape):
            value = float(native[row, column])
            box = QRectF(
                area.left() + rows[row] * wide,
                area.top() + columns[column] * high,
                (rows[row + 1] - rows[row]) * wide - 1,
                (columns[column + 1] - columns[column]) * high - 1,
            )
            colour = colours.cell(value / picture.full, signed=signed)
            painter.fillRect(box, colour)
            text = _number(value, signed=signed)
            if not self._compact and painter.fontMetrics().horizontalAdvance(text) < box.width() - 2:
                painter.setPen(readable(colour))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setPen(QPen(QColor(self._appearance.theme.line), 1))
        painter.drawRect(area.adjusted(-1, -1, 0, 0))

    def _paint_frame(self, painter: QPainter, picture: Picture) -> None:
        assert picture.explanation.heatmap is not None
        area, theme, metrics = self._area(), self._appearance.theme, painter.fontMetrics()
        bars, features = picture.explanation.heatmap.values.shape
        wide, high = area.width() / bars, area.height() / features
        label = bar_labels(picture.explanation.bar_close_times, bars, picture.zone)
        painter.setPen(QColor(theme.text))
        for bar in range(bars):
            box = QRectF(area.left() + bar * wide, area.top() - metrics.height() - 4, wide, metrics.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, label(bar))
        for number, feature in enumerate(picture.model.features):
            box = QRectF(6, area.top() + number * high, area.left() - 12, high)
            name = feature_name(feature.name, language())
            name = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        if picture.bars:
            strip = QRectF(area.left(), 0, area.width(), self._strip_height())
            paint_strip(painter, picture.bars, strip, self._appearance.colours)
        if 0 <= self._column < bars:
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(area.left() + self._column * wide, 2, wide - 1, area.bottom() - 3))
        if self._cell is not None and self.hasFocus():
            bar, feature_index = self._cell
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawRect(
                QRectF(area.left() + bar * wide, area.top() + feature_index * high, wide - 1, high - 1)
            )

    def _paint_legend(self, painter: QPainter, picture: Picture) -> None:
        explanation, heatmap = picture.explanation, picture.explanation.heatmap
        assert heatmap is not None
        area, metrics, colours = self._area(), painter.fontMetrics(), self._appearance.colours
        signed = heatmap.quantity is not Quantity.RELEVANCE
        bar = QRectF(area.left(), area.bottom() + 6, area.width(), 9)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for stop in np.linspace(0, 1, 9):
            gradient.setColorAt(
                float(stop), colours.cell(float(2 * stop - 1 if signed else stop), signed=signed)
            )
        painter.fillRect(bar, gradient)
        painter.setPen(QColor(self._appearance.theme.text))
        box = QRectF(6, bar.bottom() + 1, self.width() - 12, metrics.height() + 2)
        full = f"{picture.full:.3g}"
        target = explanation.target
        if signed and target is not None:
            word = say(f"direction.{target.name.lower()}")
            left = say("heatmap.opposes", direction=word, full=f"−{full}")
            right = say("heatmap.supports", direction=word, full=f"+{full}")
        else:
            left, right = "0", say("heatmap.amount", full=full)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, left)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, right)


def _shape(picture: Picture | None) -> tuple[int, ...] | None:
    heatmap = picture.explanation.heatmap if picture is not None else None
    return heatmap.values.shape if heatmap is not None else None


def _number(value: float, *, signed: bool) -> str:
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return "0" if text.strip("+-0.") == "" else text


if __name__ == "__main__":
    from glasstape_qt.alone import show_map

    show_map()
