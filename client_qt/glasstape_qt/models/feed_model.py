"""The list of buys: newest first, pinned ones on top."""

from typing import Any

from glasstape.prices import close_text
from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from glasstape_qt.i18n import language, tr
from glasstape_qt.models.cell_texts import as_tooltip
from glasstape_qt.models.watch_model import ModelIndex
from glasstape_qt.state import exchange
from glasstape_qt.state.buy_list import BuyEntry
from glasstape_qt.state.row_filter import FilterItem, FilterPredicate, normalized, parse_filter
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.watch_row import instrument_name

RIGHT_ALIGNED = ("up", "price")
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
COLUMNS = ("time", "code", "name", "up", "price", "outcome", "state")


class FeedModel(QAbstractTableModel):
    """The store's buys that match the filter. While paused, no buys are added or removed."""

    def __init__(self, store: SignalStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._sequences: list[int] = []
        self._filter = ""
        self._passes: FilterPredicate = lambda item: True
        self.show_abstained = False
        """Whether abstained buys are listed, which never alert."""
        self.paused = False
        self._paused_sequences: set[int] = set()
        """Buys that were in the list when it was paused."""

    @property
    def held_back(self) -> int:
        """Number of buys that arrived since the list was paused."""
        if not self.paused:
            return 0
        new = (buy for buy in self._store.buys if buy.event.sequence not in self._paused_sequences)
        return sum(self._is_listed(buy) for buy in new)

    def update_rows(self, *, reset: bool = False) -> None:
        """Show what changed in the store."""
        if self.paused and not reset:
            self._repaint()
            return
        sequences = self._matching_sequences()
        new = len(sequences) - len(self._sequences)
        if sequences == self._sequences:
            self._repaint()
        elif new > 0 and sequences[new:] == self._sequences:
            self.beginInsertRows(QModelIndex(), 0, new - 1)
            self._sequences = sequences
            self.endInsertRows()
        else:
            self.beginResetModel()
            self._sequences = sequences
            self.endResetModel()

    def set_filter(self, text: str) -> None:
        """Show only buys that match (see `row_filter`), or whose model contains the text."""
        self._filter, self._passes = normalized(text).strip(), parse_filter(text)
        self._rebuild()

    def set_show_abstained(self, shown: bool) -> None:
        """List abstained buys too, or not."""
        self.show_abstained = shown
        self._rebuild()

    @property
    def unseen(self) -> int:
        """Number of buys that arrived live, could be listed, and are not marked as seen."""
        return sum(
            not (buy.acknowledged or buy.historical) and self._is_listed(buy) for buy in self._store.buys
        )

    def set_paused(self, paused: bool) -> None:
        """Stop adding buys, or resume."""
        self.paused = paused
        self._paused_sequences = {buy.event.sequence for buy in self._store.buys} if paused else set()
        self._rebuild()

    def retranslate(self) -> None:
        """Show texts in the selected language."""
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        self._repaint()

    def buy(self, row: int) -> BuyEntry | None:
        """Return the buy of a row; None if there is no such row."""
        return self._store.buys.get(self._sequences[row]) if 0 <= row < len(self._sequences) else None

    def rowCount(self, parent: ModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of shown buys."""
        return 0 if parent.isValid() else len(self._sequences)

    def columnCount(self, parent: ModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Return a column's title."""
        title_roles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
        if orientation is Qt.Orientation.Horizontal and role in title_roles:
            return tr(f"feed.column.{COLUMNS[section]}")
        if role == Qt.ItemDataRole.TextAlignmentRole and COLUMNS[section] in RIGHT_ALIGNED:
            return RIGHT
        return None

    def data(self, index: ModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip, accessible text or alignment."""
        buy = self.buy(index.row()) if index.isValid() else None
        if buy is None:
            return None
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(buy, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{tr(f'feed.column.{column}')}: {self._cell(buy, column)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tooltip(str(self.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return ", ".join(f"{tr(f'feed.column.{name}')}: {self._cell(buy, name)}" for name in COLUMNS)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in RIGHT_ALIGNED:
            return RIGHT
        return None

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._sequences = self._matching_sequences()
        self.endResetModel()

    def _repaint(self) -> None:
        if self._sequences:
            last = self.index(len(self._sequences) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def _matching_sequences(self) -> list[int]:
        buys = [buy for buy in self._store.buys if self._matches(buy)]
        if self.paused:
            buys = [buy for buy in buys if buy.event.sequence in self._paused_sequences]
        pinned = [buy.event.sequence for buy in reversed(buys) if buy.pinned]
        return pinned + [buy.event.sequence for buy in reversed(buys) if not buy.pinned]

    def _is_listed(self, buy: BuyEntry) -> bool:
        return self.show_abstained or buy.pinned or not buy.event.signal.probabilities.abstained

    def _matches(self, buy: BuyEntry) -> bool:
        if not self._is_listed(buy):
            return False
        event = buy.event
        item = FilterItem(self._store.instrument(event.symbol), event.signal.probabilities)
        return self._passes(item) or (bool(self._filter) and self._filter in normalized(event.model.name))

    def _cell(self, buy: BuyEntry, column: str) -> str:
        event = buy.event
        instrument = self._store.instrument(event.symbol)
        match column:
            case "time":
                return exchange.in_market_time(event.bar_close_time, exchange.zone(instrument))
            case "code":
                return event.symbol
            case "name":
                return instrument_name(instrument, language())
            case "up":
                return f"{event.signal.probabilities.up:.1%}"
            case "price":
                return close_text(event.signal.bar, instrument)
            case "outcome":
                if buy.realized is None or buy.realized_return is None:
                    return tr("outcome.pending")
                realized = tr(f"direction.{buy.realized.name.lower()}")
                return f"{tr(f'outcome.{buy.outcome.value}')} {buy.realized_return:+.2%} ({realized})"
        return self._state(buy)

    def _state(self, buy: BuyEntry) -> str:
        now = self._store.connection.market_now()
        marks = [
            (buy.pinned, "pinned"), (buy.event.signal.probabilities.abstained, "abstained"),
            (buy.event.signal.expire_time <= now, "expired"), (buy.acknowledged, "acknowledged"),
        ]  # fmt: skip
        return " · ".join(tr(f"feed.state.{name}") for holds, name in marks if holds)
