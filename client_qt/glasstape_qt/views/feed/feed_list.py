"""The list of buys with its filter, pause and acknowledge buttons and its context menu."""

from PyQt6.QtCore import QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.models.feed_model import COLUMNS, FeedModel
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.mnemonics import without_mnemonic

SNOOZE_MINUTES = 30
ROW_HEIGHT = 21
"""Pixels, at zoom 1."""
WIDTHS = {"time": 142, "code": 62, "name": 82, "up": 54, "price": 70, "outcome": 132, "state": 110}
"""Pixels, at zoom 1."""


class FeedList(QWidget):
    """Every buy, newest first; double-click or Enter reopens its signal."""

    signal_requested = pyqtSignal(str, object)
    """Symbol and sequence of the signal to show."""

    def __init__(self, store: SignalStore, appearance: Appearance) -> None:
        super().__init__()
        self._store, self._appearance = store, appearance
        self._zoom = appearance.zoom
        self.model = FeedModel(store, self)
        self.list = _BuyTable()
        self.list.setObjectName("feedList")
        self.list.setModel(self.model)
        self.list.entered_row.connect(self._request_signal)
        self.list.doubleClicked.connect(self._request_signal)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.search = QLineEdit()
        self.search.setObjectName("feedFilter")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._apply_filter)
        self.pause = QPushButton()
        self.pause.setObjectName("feedPause")
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._set_paused)
        self.seen = QPushButton()
        self.seen.setObjectName("feedSeen")
        self.seen.clicked.connect(self._acknowledge_all)
        self._placeholder = QLabel()
        self._placeholder.setObjectName("feedPlaceholder")
        self._placeholder.setWordWrap(True)
        self._placeholder.setAlignment(Qt.AlignmentFlag.AlignCenter)
        top = QHBoxLayout()
        for widget in (self.search, self.pause, self.seen):
            top.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._placeholder, 1)
        for number, name in enumerate(COLUMNS):
            self.list.setColumnWidth(number, round(WIDTHS[name] * appearance.zoom))
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply size and language."""
        self.search.setPlaceholderText(tr("feed.filter"))
        self.search.setAccessibleName(tr("feed.filter"))
        self.list.setAccessibleName(tr("feed.title"))
        if self._appearance.zoom != self._zoom:
            for number in range(len(COLUMNS)):
                width = self.list.columnWidth(number) * self._appearance.zoom / self._zoom
                self.list.setColumnWidth(number, round(width))
            self._zoom = self._appearance.zoom
        rows = self.list.verticalHeader()
        if rows is not None:
            rows.setDefaultSectionSize(round(ROW_HEIGHT * self._appearance.zoom))
        self.model.retranslate()
        self._update_labels()

    def apply_changes(self, changes: StoreChanges) -> None:
        """Show what changed in the store."""
        if changes.buys or changes.reset:
            self.model.update_rows(reset=changes.reset)
            self._update_labels()

    def menu(self, number: int) -> QMenu:
        """Return the context menu of a row."""
        menu = QMenu(self)
        buy = self.model.buy(number)
        if buy is None:
            return menu
        sequence, symbol = buy.event.sequence, buy.event.symbol
        menu.addAction(
            tr("feed.show_signal"),
            lambda: self.signal_requested.emit(symbol, buy.event.confidence_sequence),
        )
        menu.addAction(
            tr("feed.unpin" if buy.pinned else "feed.pin"), lambda: self._pin(sequence, not buy.pinned)
        )
        menu.addAction(tr("feed.acknowledge"), lambda: self._acknowledge(sequence))
        until = self._store.now() + 60 * SNOOZE_MINUTES
        menu.addAction(
            tr("feed.snooze", symbol=without_mnemonic(symbol), minutes=SNOOZE_MINUTES),
            lambda: self._store.buys.snooze(symbol, until),
        )
        return menu

    def _show_menu(self, point: QPoint) -> None:
        index = self.list.indexAt(point)
        if index.isValid():
            self.menu(index.row()).exec(self.list.mapToGlobal(point))

    def _request_signal(self, index: QModelIndex) -> None:
        buy = self.model.buy(index.row()) if index.isValid() else None
        if buy is not None:
            self._acknowledge(buy.event.sequence)
            self.signal_requested.emit(buy.event.symbol, buy.event.confidence_sequence)

    def _pin(self, sequence: int, pinned: bool) -> None:
        self._store.buys.pin(sequence, pinned)
        self.model.update_rows()

    def _acknowledge(self, sequence: int) -> None:
        self._store.buys.acknowledge(sequence)
        self.model.update_rows()
        self._update_labels()

    def _acknowledge_all(self) -> None:
        self._store.buys.acknowledge_all()
        self.model.update_rows()
        self._update_labels()

    def _apply_filter(self, text: str) -> None:
        self.model.set_filter(text)
        self._update_labels()

    def _set_paused(self, paused: bool) -> None:
        self.model.set_paused(paused)
        self._update_labels()

    def _update_labels(self) -> None:
        held_back = self.model.held_back
        resume = tr("feed.resume_new", n=held_back) if held_back else tr("feed.resume")
        self.pause.setText(resume if self.model.paused else tr("feed.pause"))
        new = self._store.buys.unacknowledged
        self.seen.setText(tr("feed.acknowledge_new", n=new) if new else tr("feed.acknowledge_all"))
        shown = self.model.rowCount()
        self._placeholder.setText(tr("feed.no_match") if len(self._store.buys) else tr("feed.empty"))
        self._placeholder.setVisible(shown == 0)
        self.list.setVisible(shown > 0)


class _BuyTable(QTableView):
    entered_row = pyqtSignal(QModelIndex)
    """Enter was pressed on a row."""

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        header, rows = self.horizontalHeader(), self.verticalHeader()
        if header is not None and rows is not None:
            rows.hide()
            rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setStretchLastSection(True)
            header.setHighlightSections(False)
            header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Emit `entered_row` on Enter."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered_row.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(lambda context: FeedList(context.store, context.appearance))
