"""The feed list: buys, newest first, pinned ones on top."""

from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from glasstape_qt.i18n import language, say
from glasstape_qt.models.cells import as_tip
from glasstape_qt.models.watch import Index
from glasstape_qt.state import exchange
from glasstape_qt.state.buys import Buy
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.rows import decimals_of, name_of

COLUMNS = ("time", "code", "name", "up", "price", "outcome", "state")


class FeedModel(QAbstractTableModel):
    """A list of the desk's buys. While paused it stands still and counts what waits."""

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._sequences: list[int] = []
        self._text = ""
        self.paused = False
        self._held: set[int] = set()
        """What there was when the list was paused."""

    @property
    def waiting(self) -> int:
        """Buys that came since the list was paused."""
        return sum(buy.event.sequence not in self._held for buy in self._desk.buys) if self.paused else 0

    def take(self, *, reset: bool = False) -> None:
        """Show what changed."""
        if self.paused and not reset:
            self._repaint()
            return
        wanted = self._wanted()
        new = len(wanted) - len(self._sequences)
        if wanted == self._sequences:
            self._repaint()
        elif new > 0 and wanted[new:] == self._sequences:
            self.beginInsertRows(QModelIndex(), 0, new - 1)
            self._sequences = wanted
            self.endInsertRows()
        else:
            self.beginResetModel()
            self._sequences = wanted
            self.endResetModel()

    def filter(self, text: str) -> None:
        """Only buys whose code, name or model holds the text."""
        self._text = text.casefold().strip()
        self._show()

    def pause(self, paused: bool) -> None:
        """Stand still, or go on."""
        self.paused = paused
        self._held = {buy.event.sequence for buy in self._desk.buys} if paused else set()
        self._show()

    def retranslate(self) -> None:
        """Another language is spoken."""
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        self._repaint()

    def buy(self, number: int) -> Buy | None:
        """The buy of a line."""
        return self._desk.buys.get(self._sequences[number]) if 0 <= number < len(self._sequences) else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Shown buys."""
        return 0 if parent.isValid() else len(self._sequences)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        """Titles."""
        titles = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)
        if orientation is Qt.Orientation.Horizontal and role in titles:
            return say(f"feed.column.{COLUMNS[section]}")
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text and what a screen reader says."""
        buy = self.buy(index.row()) if index.isValid() else None
        if buy is None:
            return None
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(buy, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{say(f'feed.column.{column}')}: {self._cell(buy, column)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return as_tip(str(self.data(index, Qt.ItemDataRole.AccessibleDescriptionRole)))
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return ", ".join(f"{say(f'feed.column.{name}')}: {self._cell(buy, name)}" for name in COLUMNS)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in ("up", "price"):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _show(self) -> None:
        self.beginResetModel()
        self._sequences = self._wanted()
        self.endResetModel()

    def _repaint(self) -> None:
        if self._sequences:
            last = self.index(len(self._sequences) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def _wanted(self) -> list[int]:
        found = [buy for buy in self._desk.buys if self._matches(buy)]
        if self.paused:
            found = [buy for buy in found if buy.event.sequence in self._held]
        pinned = [buy.event.sequence for buy in reversed(found) if buy.pinned]
        return pinned + [buy.event.sequence for buy in reversed(found) if not buy.pinned]

    def _matches(self, buy: Buy) -> bool:
        if not self._text:
            return True
        described = self._desk.instrument(buy.event.symbol)
        texts = (buy.event.symbol, buy.event.model.name, described.name, described.local_name)
        return any(self._text in text.casefold() for text in texts)

    def _cell(self, buy: Buy, column: str) -> str:
        event = buy.event
        described = self._desk.instrument(event.symbol)
        match column:
            case "time":
                return exchange.in_market_time(event.bar_close_time, exchange.zone(described))
            case "code":
                return event.symbol
            case "name":
                return name_of(described, language())
            case "up":
                return f"{event.signal.confidence.up:.1%}"
            case "price":
                close = event.signal.bar.close
                return f"{close:,.{decimals_of(described, close)}f}"
            case "outcome":
                if buy.realised is None or buy.realised_return is None:
                    return say("outcome.pending")
                came = say(f"direction.{buy.realised.name.lower()}")
                return f"{say(f'outcome.{buy.outcome.value}')} {buy.realised_return:+.2%} ({came})"
        return self._state(buy)

    def _state(self, buy: Buy) -> str:
        now = self._desk.connection.market_now()
        marks = [
            (buy.pinned, "pinned"), (buy.event.signal.confidence.abstained, "abstained"),
            (buy.event.signal.expire_time <= now, "expired"), (buy.acknowledged, "acknowledged"),
        ]  # fmt: skip
        return " · ".join(say(f"feed.state.{name}") for holds, name in marks if holds)
