"""The watch table: one row per symbol. Sorts and filters itself: a proxy model would sort on every event."""

from collections.abc import Iterable
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from glasstape_qt.i18n import tr
from glasstape_qt.models.cell_texts import CellTexts, as_tooltip, row_description
from glasstape_qt.models.watch_columns import COLUMNS, RIGHT_ALIGNED, WATCH_COLUMNS
from glasstape_qt.state.quotes import change_of, price_of
from glasstape_qt.state.row_filter import Filterable, FilterItem, FilterPredicate, parse_filter
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.watch_row import WatchRow

ModelIndex = QModelIndex | QPersistentModelIndex


class WatchModel(QAbstractTableModel):
    """The store's rows and other instruments that pass the filter, in the selected order.

    Instruments without a signal come last, by their code.
    """

    def __init__(self, store: SignalStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.cells = CellTexts(store)
        self.symbols: list[str] = []
        """Symbols of the rows, from the top."""
        self.in_view: frozenset[str] | None = None
        """Symbols of visible rows: only these are repainted; None: all."""
        self.frozen = False
        """Keep the order: the mouse is over the table."""
        self._row_numbers: dict[str, int] = {}
        self._column, self._order = 0, Qt.SortOrder.AscendingOrder
        self._passes: FilterPredicate = lambda item: True
        self._group: frozenset[str] | None = None

    def update_rows(self, symbols: Iterable[str], *, reset: bool = False) -> None:
        """Show changed symbols: known rows are repainted in place, new ones are appended."""
        self.cells.update_clock()
        if reset:
            self._rebuild()
            self._repaint_all()
            return
        last = len(COLUMNS) - 1
        # Rows out of view are painted when they are scrolled into view: no signal is needed.
        for symbol in symbols if self.in_view is None else self.in_view & set(symbols):
            number = self._row_numbers.get(symbol)
            if number is not None:
                self.dataChanged.emit(self.index(number, 0), self.index(number, last))
        new = [
            symbol
            for symbol in symbols
            if symbol not in self._row_numbers and symbol in self.store.rows and self._matches(symbol)
        ]
        if new:
            self._append(sorted(new))

    def arrange(self) -> None:
        """Sort and filter again, keeping the selection; do nothing while frozen."""
        if not self.frozen:
            self._rebuild()

    def set_filter(self, text: str, group: Iterable[str] | None = None) -> None:
        """Show rows that match (see `row_filter`); with a group, only its symbols."""
        self._passes = parse_filter(text)
        self._group = frozenset(group) if group is not None else None
        self._rebuild()

    def refresh_clock(self) -> None:
        """Repaint ages and expiry."""
        self.cells.update_clock()
        if self.symbols:
            first, last = COLUMNS.index("age"), len(COLUMNS) - 1
            self.dataChanged.emit(self.index(0, first), self.index(len(self.symbols) - 1, last))

    def retranslate(self) -> None:
        """Show texts in the selected language."""
        self.cells.clear()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        self._rebuild()
        self._repaint_all()

    @property
    def known(self) -> int:
        """Number of symbols that can be shown."""
        return len(self.store.rows.keys() | self.store.instruments.keys())

    def row(self, number: int) -> WatchRow | None:
        """Return a row by its number; None if its symbol has no signal."""
        return self.store.rows.get(self.symbols[number])

    def number(self, symbol: str) -> int | None:
        """Return the row number of a symbol; None if it is not shown."""
        return self._row_numbers.get(symbol)

    def rowCount(self, parent: ModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of shown symbols."""
        return 0 if parent.isValid() else len(self.symbols)

    def columnCount(self, parent: ModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return a column's title, tooltip or alignment."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(COLUMNS):
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return tr(f"column.{COLUMNS[section]}")
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr(f"column_help.{COLUMNS[section]}")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(COLUMNS[section])
        return None

    def data(self, index: ModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip, accessible text or alignment."""
        if not index.isValid():
            return None
        symbol, column = self.symbols[index.row()], COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self.cells.text(symbol, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{tr(f'column.{column}')}: {self.cells.text(symbol, column)}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        row = self.row(index.row())
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return row_description(row) if row is not None else tr("row.no_signal", symbol=symbol)
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tooltip(self.data(index, Qt.ItemDataRole.AccessibleDescriptionRole))
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column's values, not by its text."""
        self._column, self._order = max(0, column), order
        self._rebuild()

    def copied_titles(self, column: str) -> list[str]:
        """Return the titles of a column on the clipboard: one for each value."""
        title = tr(f"column.{column}")
        if column == "confidence":
            return [f"{tr(f'direction.{name}')} (%)" for name in ("down", "flat", "up")]
        return [f"{title} (%)" if column in ("change", "novelty") else title]

    def copied(self, symbol: str, column: str) -> list[str | float | None]:
        """Return the values of a cell on the clipboard: numbers with their sign, in percent where titled so."""
        row, quote = self.store.rows.get(symbol), self.store.quotes.get(symbol)
        if row is None:
            return [self.cells.text(symbol, column)] if column != "confidence" else [None] * 3
        match column:
            case "price":
                return [price_of(row, quote)]
            case "change":
                change = change_of(row, quote)
                return [None if change is None else round(100 * change, 4)]
            case "confidence":
                return [round(100 * getattr(row.confidence, name), 2) for name in ("down", "flat", "up")]
            case "novelty":
                return [round(100 * row.confidence.novelty, 2)]
        return [self.cells.text(symbol, column)]

    def _matches(self, symbol: str) -> bool:
        if self._group is not None and symbol not in self._group:
            return False
        item: Filterable | None = self.store.rows.get(symbol)
        return self._passes(item or FilterItem(self.store.instrument(symbol), None))

    def _matching_symbols(self) -> list[str]:
        rows = sorted(
            (row for symbol, row in self.store.rows.items() if self._matches(symbol)),
            key=lambda row: row.symbol,
        )
        key, store = WATCH_COLUMNS[self._column].key, self.store
        descending = self._order is Qt.SortOrder.DescendingOrder
        rows.sort(key=lambda row: key(row, store), reverse=descending)
        quiet = sorted(store.instruments.keys() - store.rows.keys())
        return [row.symbol for row in rows] + [symbol for symbol in quiet if self._matches(symbol)]

    def _append(self, symbols: list[str]) -> None:
        first = len(self.symbols)
        self.beginInsertRows(QModelIndex(), first, first + len(symbols) - 1)
        self.symbols += symbols
        self._row_numbers |= {symbol: first + offset for offset, symbol in enumerate(symbols)}
        self.endInsertRows()

    def _rebuild(self) -> None:
        wanted = self._matching_symbols()
        if wanted == self.symbols:
            return
        if set(wanted) != set(self.symbols):
            self._set_rows(set(wanted))
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        symbols = [self.symbols[index.row()] for index in before]
        self.symbols = wanted
        self._row_numbers = {symbol: number for number, symbol in enumerate(wanted)}
        after = [
            self.index(self._row_numbers[symbol], index.column())
            for symbol, index in zip(symbols, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _set_rows(self, wanted: set[str]) -> None:
        """Remove and append rows so that exactly `wanted` are shown, in any order."""
        if len(wanted) < len(self.symbols) // 2 or not self.symbols:
            self.beginResetModel()
            self.symbols = [symbol for symbol in self.symbols if symbol in wanted]
            self.symbols += sorted(wanted - set(self.symbols))
            self._row_numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
            self.endResetModel()
            return
        for number in reversed(range(len(self.symbols))):
            if self.symbols[number] not in wanted:
                self.beginRemoveRows(QModelIndex(), number, number)
                del self.symbols[number]
                self.endRemoveRows()
        self._row_numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        missing = wanted - self._row_numbers.keys()
        if missing:
            self._append(sorted(missing))

    def _repaint_all(self) -> None:
        if self.symbols:
            last = self.index(len(self.symbols) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)


def _alignment(column: str) -> int:
    side = Qt.AlignmentFlag.AlignRight if column in RIGHT_ALIGNED else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
