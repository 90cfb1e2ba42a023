"""The watch table: a Qt model over the desk's rows, and the delegate that paints them."""

from typing import Any

from glasstape import Direction
from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, QRect, Qt
from PyQt6.QtGui import QColor, QPainter
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from glasstape_qt.state import Desk, Row

COLUMNS = ("Symbol", "Name", "Close", "Change", "Down", "Flat", "Up (buy)", "Direction", "Bar close")
CONFIDENCE = 6
SORT_ROLE = Qt.ItemDataRole.UserRole
SHARES = {
    Direction.DOWN: QColor("#3b6fb6"),
    Direction.FLAT: QColor("#9a9a9a"),
    Direction.UP: QColor("#c8452f"),
}
ARROWS = {Direction.DOWN: "▼", Direction.FLAT: "■", Direction.UP: "▲"}
BUY = QColor("#c8452f")
FAINT = 0.25
"""Strongest colour of a row whose winner is not UP."""

Index = QModelIndex | QPersistentModelIndex


class WatchModel(QAbstractTableModel):
    """One row per symbol, in order of arrival; sorting is the proxy's."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.symbols: list[str] = []

    def refresh(self, symbols: set[str]) -> None:
        """Show what changed: new rows are inserted, known ones repainted one by one."""
        gone = [symbol for symbol in self.symbols if symbol not in self.desk.rows]
        if gone:
            self.beginResetModel()
            self.symbols = list(self.desk.rows)
            self.endResetModel()
            return
        known = set(self.symbols)
        new = [symbol for symbol in self.desk.rows if symbol not in known]
        if new:
            first = len(self.symbols)
            self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
            self.symbols += new
            self.endInsertRows()
        for number, symbol in enumerate(self.symbols):
            if symbol in symbols and symbol in known:
                self.dataChanged.emit(self.index(number, 0), self.index(number, len(COLUMNS) - 1))

    def row(self, index: Index) -> Row:
        """The row behind an index."""
        return self.desk.rows[self.symbols[index.row()]]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Symbols."""
        return 0 if parent.isValid() else len(self.symbols)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Column titles."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text to show, and plain values to sort by."""
        if not index.isValid():
            return None
        values, texts = _cells(self.row(index))
        if role == SORT_ROLE:
            return values[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return texts[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and 2 <= index.column() <= 5:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


class WatchDelegate(QStyledItemDelegate):
    """Paints the row in the colour of its buy confidence, and the three confidences as one bar."""

    def __init__(self, model: WatchModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Background, then the bar where it belongs, then the text."""
        if painter is None:
            return
        source = index.model().mapToSource(index)  # type: ignore[union-attr]
        row = self._model.row(source)
        painter.save()
        painter.fillRect(option.rect, background(self._model.desk, row))
        if source.column() == CONFIDENCE:
            self._bar(painter, option.rect, row)
        text = str(index.data() or "")
        alignment = index.data(Qt.ItemDataRole.TextAlignmentRole) or Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor("#101010"))
        painter.drawText(option.rect.adjusted(6, 0, -6, 0), int(alignment), text)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor("#101010"))
            painter.drawLine(option.rect.topLeft(), option.rect.topRight())
            painter.drawLine(option.rect.bottomLeft(), option.rect.bottomRight())
        painter.restore()

    def _bar(self, painter: QPainter, rect: QRect, row: Row) -> None:
        said = row.event.signal.confidence
        area = rect.adjusted(56, 6, -6, -6)
        left = area.left()
        for direction, share in zip(Direction, (said.down, said.flat, said.up), strict=True):
            width = round(area.width() * share)
            painter.fillRect(QRect(left, area.top(), width, area.height()), SHARES[direction])
            left += width


def background(desk: Desk, row: Row) -> QColor:
    """White at the base rate, the buy colour at the top of the ramp; faint when UP did not win."""
    said = row.event.signal.confidence
    strength = desk.ramp(said.up) * 0.75
    if said.direction is not Direction.UP:
        strength = min(strength, FAINT)
    return QColor(
        *(round(255 + (channel - 255) * strength) for channel in (BUY.red(), BUY.green(), BUY.blue()))
    )


def _cells(row: Row) -> tuple[list[Any], list[str]]:
    event, signal = row.event, row.event.signal
    said, change = signal.confidence, signal.change
    direction = f"{ARROWS[said.direction]} {said.direction.name}{' (abstained)' if said.abstained else ''}"
    arrow = "" if change is None else "▲" if change > 0 else "▼" if change < 0 else ""
    closed = f"{event.bar_close_time:%Y-%m-%d %H:%M}"
    values = [
        event.symbol, row.name, signal.bar.close, change or 0.0, said.down, said.flat, said.up,
        int(said.direction), event.bar_close_time.timestamp(),
    ]  # fmt: skip
    texts = [
        event.symbol, row.name, f"{signal.bar.close:,.2f}", "" if change is None else f"{arrow} {abs(change):.2%}",
        f"{said.down:.1%}", f"{said.flat:.1%}", f"{said.up:.1%}", direction, closed,
    ]  # fmt: skip
    return values, texts
