"""The watch table: one row per symbol, sorted and filtered here, so that no proxy sorts on every event."""

from collections.abc import Callable, Iterable
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from glasstape_qt.i18n import language, say
from glasstape_qt.models.cells import Cells, as_tip, row_sentence
from glasstape_qt.state import search
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.rows import Row

COLUMNS = (
    "code", "name", "price", "change", "confidence", "direction", "age", "expiry", "model", "novelty", "market",
)  # fmt: skip
RIGHT = {"price", "change", "age", "expiry", "novelty"}
Index = QModelIndex | QPersistentModelIndex
_KEYS: dict[str, Callable[[Row], Any]] = {
    "code": lambda row: row.symbol,
    "name": lambda row: row.name(language()),
    "price": lambda row: row.event.signal.bar.close,
    "change": lambda row: row.event.signal.change or 0.0,
    "confidence": lambda row: row.event.signal.confidence.up,
    "direction": lambda row: (int(row.direction), row.event.signal.confidence.winning),
    "age": lambda row: -row.event.bar_close_time.timestamp(),
    "expiry": lambda row: row.event.signal.expire_time.timestamp(),
    "model": lambda row: (row.event.model.name, row.event.model.version),
    "novelty": lambda row: row.event.signal.confidence.novelty,
    "market": lambda row: row.instrument.exchange,
}


class WatchModel(QAbstractTableModel):
    """Rows of the desk that pass the filter, in the chosen order."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.cells = Cells(desk)
        self.symbols: list[str] = []
        """Of the shown rows, from the top."""
        self.in_view: frozenset[str] | None = None
        """Symbols that a view shows just now; None: it may be all."""
        self.frozen = False
        """Keep the order: the mouse is over the table."""
        self._numbers: dict[str, int] = {}
        self._column, self._order = 0, Qt.SortOrder.AscendingOrder
        self._passes: Callable[[Row], bool] = lambda row: True
        self._group: frozenset[str] | None = None

    def take(self, symbols: Iterable[str], *, reset: bool = False) -> None:
        """Show what changed: known rows are repainted at once, new ones are added at the end."""
        self.cells.look_at_the_clock()
        if reset:
            self._rebuild()
            self._repaint_all()
            return
        last = len(COLUMNS) - 1
        # What is out of view is painted when it comes into view: nobody need be told of it.
        for symbol in symbols if self.in_view is None else self.in_view & set(symbols):
            number = self._numbers.get(symbol)
            if number is not None:
                self.dataChanged.emit(self.index(number, 0), self.index(number, last))
        new = [
            symbol
            for symbol in symbols
            if symbol not in self._numbers and symbol in self.desk.rows and self._shows(symbol)
        ]
        if new:
            self._append(sorted(new))

    def arrange(self) -> None:
        """Sort and filter anew; rows keep their selection. Does nothing while frozen."""
        if not self.frozen:
            self._rebuild()

    def filter(self, text: str, group: Iterable[str] | None = None) -> None:
        """Show rows that match (see `search`), of a group alone if one is given."""
        self._passes = search.parse(text)
        self._group = frozenset(group) if group is not None else None
        self._rebuild()

    def refresh_clock(self) -> None:
        """Ages and expiries have moved on."""
        self.cells.look_at_the_clock()
        if self.symbols:
            first, last = COLUMNS.index("age"), len(COLUMNS) - 1
            self.dataChanged.emit(self.index(0, first), self.index(len(self.symbols) - 1, last))

    def _repaint_all(self) -> None:
        if self.symbols:
            last = self.index(len(self.symbols) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def retranslate(self) -> None:
        """Another language is spoken."""
        self.cells.forget()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        self._rebuild()
        self._repaint_all()

    def row(self, number: int) -> Row | None:
        """The row of a line; None if history was lost meanwhile."""
        return self.desk.rows.get(self.symbols[number])

    def number(self, symbol: str) -> int | None:
        """The line of a symbol, if it is shown."""
        return self._numbers.get(symbol)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Shown symbols."""
        return 0 if parent.isValid() else len(self.symbols)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Titles, with what they mean as a tool tip."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return say(f"column.{COLUMNS[section]}")
        if role == Qt.ItemDataRole.ToolTipRole:
            return say(f"column_help.{COLUMNS[section]}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(COLUMNS[section])
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, tool tip, and what a screen reader says."""
        row = self.row(index.row()) if index.isValid() else None
        if row is None:
            return None
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cells.text(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{say(f'column.{column}')}: {self.cells.text(row, column)}"
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return row_sentence(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tip(row_sentence(row))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column's numbers, not its text."""
        self._column, self._order = max(0, column), order
        self._rebuild()

    def _shows(self, symbol: str) -> bool:
        if self._group is not None and symbol not in self._group:
            return False
        return self._passes(self.desk.rows[symbol])

    def _wanted(self) -> list[str]:
        key = _KEYS[COLUMNS[self._column]]
        rows = sorted(
            (row for symbol, row in self.desk.rows.items() if self._shows(symbol)), key=lambda row: row.symbol
        )
        down = self._order is Qt.SortOrder.DescendingOrder
        return [row.symbol for row in sorted(rows, key=key, reverse=down)]

    def _append(self, symbols: list[str]) -> None:
        first = len(self.symbols)
        self.beginInsertRows(QModelIndex(), first, first + len(symbols) - 1)
        self.symbols += symbols
        self._numbers |= {symbol: first + offset for offset, symbol in enumerate(symbols)}
        self.endInsertRows()

    def _rebuild(self) -> None:
        wanted = self._wanted()
        if wanted == self.symbols:
            return
        if set(wanted) != set(self.symbols):
            self._show_exactly(set(wanted))
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        symbols = [self.symbols[index.row()] for index in before]
        self.symbols = wanted
        self._numbers = {symbol: number for number, symbol in enumerate(wanted)}
        after = [
            self.index(self._numbers[symbol], index.column())
            for symbol, index in zip(symbols, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _show_exactly(self, wanted: set[str]) -> None:
        """Take out what is no longer wanted and add what is missing; the order comes after."""
        if len(wanted) < len(self.symbols) // 2 or not self.symbols:
            self.beginResetModel()
            self.symbols = [symbol for symbol in self.symbols if symbol in wanted]
            self.symbols += sorted(wanted - set(self.symbols))
            self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
            self.endResetModel()
            return
        for number in reversed(range(len(self.symbols))):
            if self.symbols[number] not in wanted:
                self.beginRemoveRows(QModelIndex(), number, number)
                del self.symbols[number]
                self.endRemoveRows()
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        missing = wanted - self._numbers.keys()
        if missing:
            self._append(sorted(missing))


def _alignment(column: str) -> int:
    side = Qt.AlignmentFlag.AlignRight if column in RIGHT else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
