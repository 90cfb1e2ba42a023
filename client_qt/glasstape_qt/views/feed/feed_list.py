"""The list of buys with its filter, pause and acknowledge buttons and its context menu."""

from PyQt6.QtCore import QModelIndex, QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.models.feed_model import COLUMNS, FeedModel
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.flow_layout import FlowLayout
from glasstape_qt.views.mnemonics import without_mnemonic
from glasstape_qt.views.search_field import SearchField

SNOOZE_MINUTES = 30
ROW_HEIGHT = 21
"""Pixels, at zoom 1."""
WIDTHS = {"time": 142, "code": 66, "name": 90, "up": 58, "price": 78, "outcome": 140, "state": 110}
"""Pixels, at zoom 1."""


class FeedList(QWidget):
    """Every buy, newest first; double-click or Enter reopens its signal."""

    signal_requested = pyqtSignal(str, object)
    """Symbol and sequence of the signal to show."""

    preferences_changed = pyqtSignal()
    """The user listed abstained buys, or not."""

    def __init__(
        self, store: SignalStore, appearance: Appearance, preferences: Preferences | None = None
    ) -> None:
        super().__init__()
        self._store, self._appearance = store, appearance
        self._preferences = preferences or Preferences()
        self._zoom = appearance.zoom
        self.model = FeedModel(store, self)
        self.list = _BuyTable()
        self.list.setObjectName("feedList")
        self.list.setModel(self.model)
        self.list.entered_row.connect(self._request_signal)
        self.list.doubleClicked.connect(self._request_signal)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.model.show_abstained = self._preferences.abstained_buys
        self.search = SearchField()
        self.search.setObjectName("feedFilter")
        self.search.setMinimumWidth(90)
        self.search.typed.connect(self._apply_filter)
        self.abstained = QCheckBox()
        self.abstained.setObjectName("feedAbstained")
        self.abstained.setChecked(self._preferences.abstained_buys)
        self.abstained.toggled.connect(self._set_abstained)
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
        top = FlowLayout()
        for widget in (self.search, self.abstained, self.pause, self.seen):
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
        self.search.setToolTip(tr("watch.filter_help"))
        self.abstained.setText(tr("feed.abstained"))
        self.abstained.setToolTip(tr("feed.abstained_help"))
        self.list.setAccessibleName(tr("feed.title"))
        if self._appearance.zoom != self._zoom:
            for number in range(len(COLUMNS)):
                # Widths are whole pixels: only a user's own differ from the default ones by more than one.
                own = self.list.columnWidth(number) / self._zoom
                default = WIDTHS[COLUMNS[number]]
                width = default if abs(own - default) * self._zoom < 1 else own
                self.list.setColumnWidth(number, round(width * self._appearance.zoom))
            self._zoom = self._appearance.zoom
        rows = self.list.verticalHeader()
        if rows is not None:
            rows.setMinimumSectionSize(1)  # Qt's own minimum grows with the font and never shrinks
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
        now, buys = self._store.now(), self._store.buys
        if symbol in buys.snoozed_at(now):
            text = tr("feed.unsnooze", symbol=without_mnemonic(symbol))
            menu.addAction(text, lambda: buys.unsnooze(symbol))
        else:
            text = tr("feed.snooze", symbol=without_mnemonic(symbol), minutes=SNOOZE_MINUTES)
            menu.addAction(text, lambda: buys.snooze(symbol, now + 60 * SNOOZE_MINUTES))
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

    def _set_abstained(self, shown: bool) -> None:
        self._preferences.abstained_buys = shown
        self.model.set_show_abstained(shown)
        self._update_labels()
        self.preferences_changed.emit()

    def _set_paused(self, paused: bool) -> None:
        self.model.set_paused(paused)
        self._update_labels()

    def _update_labels(self) -> None:
        held_back = self.model.held_back
        resume = tr("feed.resume_new", n=held_back) if held_back else tr("feed.resume")
        self.pause.setText(resume if self.model.paused else tr("feed.pause"))
        new = self.model.unseen
        self.seen.setText(tr("feed.acknowledge_new", n=new) if new else tr("feed.acknowledge_all"))
        shown = self.model.rowCount()
        self._placeholder.setText(self._placeholder_text())
        self._placeholder.setVisible(shown == 0)
        self.list.setVisible(shown > 0)

    def _placeholder_text(self) -> str:
        hidden = 0 if self.model.show_abstained else self._store.buys.abstained
        if hidden == len(self._store.buys):
            return tr("feed.only_abstained", n=hidden) if hidden else tr("feed.empty")
        return tr("feed.no_match")


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
