"""The feed list: every buy, to filter, pause, pin, acknowledge, snooze and jump to."""

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

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.models.feed import COLUMNS, FeedModel
from glasstape_qt.state.desk import Changes, Desk

SNOOZE_MINUTES = 30
WIDTHS = {"time": 142, "code": 62, "name": 82, "up": 54, "price": 70, "outcome": 132, "state": 110}


class FeedList(QWidget):
    """The newest buy is on top; double-click or Enter reopens the signal as it was."""

    jumped = pyqtSignal(str, object)
    """Symbol and sequence of the signal to show."""

    def __init__(self, desk: Desk, appearance: Appearance) -> None:
        super().__init__()
        self._desk, self._appearance = desk, appearance
        self._zoom = appearance.zoom
        self.model = FeedModel(desk, self)
        self.list = _List()
        self.list.setObjectName("feedList")
        self.list.setModel(self.model)
        self.list.chosen.connect(self._jump)
        self.list.doubleClicked.connect(self._jump)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._menu)
        self.search = QLineEdit()
        self.search.setObjectName("feedFilter")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.pause = QPushButton()
        self.pause.setObjectName("feedPause")
        self.pause.setCheckable(True)
        self.pause.toggled.connect(self._pause)
        self.seen = QPushButton()
        self.seen.setObjectName("feedSeen")
        self.seen.clicked.connect(self._acknowledge_all)
        self._empty = QLabel()
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        top = QHBoxLayout()
        for widget in (self.search, self.pause, self.seen):
            top.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._empty, 1)
        for number, name in enumerate(COLUMNS):
            self.list.setColumnWidth(number, round(WIDTHS[name] * appearance.zoom))
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        self.search.setPlaceholderText(say("feed.filter"))
        self.search.setAccessibleName(say("feed.filter"))
        self.list.setAccessibleName(say("feed.title"))
        if self._appearance.zoom != self._zoom:
            for number in range(len(COLUMNS)):
                wide = self.list.columnWidth(number) * self._appearance.zoom / self._zoom
                self.list.setColumnWidth(number, round(wide))
            self._zoom = self._appearance.zoom
        rows = self.list.verticalHeader()
        if rows is not None:
            rows.setDefaultSectionSize(round(24 * self._appearance.zoom))
        self.model.retranslate()
        self._tell()

    def take(self, changes: Changes) -> None:
        """The desk has changed."""
        if changes.buys or changes.reset:
            self.model.take(reset=changes.reset)
            self._tell()

    def menu(self, number: int) -> QMenu:
        """What can be done with a line."""
        menu = QMenu(self)
        buy = self.model.buy(number)
        if buy is None:
            return menu
        sequence, symbol = buy.event.sequence, buy.event.symbol
        menu.addAction(say("feed.jump"), lambda: self.jumped.emit(symbol, buy.event.confidence_sequence))
        menu.addAction(
            say("feed.unpin" if buy.pinned else "feed.pin"), lambda: self._pin(sequence, not buy.pinned)
        )
        menu.addAction(say("feed.acknowledge"), lambda: self._acknowledge(sequence))
        until = self._desk.now() + 60 * SNOOZE_MINUTES
        menu.addAction(
            say("feed.snooze", symbol=symbol, minutes=SNOOZE_MINUTES),
            lambda: self._desk.buys.snooze(symbol, until),
        )
        return menu

    def _menu(self, point: QPoint) -> None:
        index = self.list.indexAt(point)
        if index.isValid():
            self.menu(index.row()).exec(self.list.mapToGlobal(point))

    def _jump(self, index: QModelIndex) -> None:
        buy = self.model.buy(index.row()) if index.isValid() else None
        if buy is not None:
            self._acknowledge(buy.event.sequence)
            self.jumped.emit(buy.event.symbol, buy.event.confidence_sequence)

    def _pin(self, sequence: int, pinned: bool) -> None:
        self._desk.buys.pin(sequence, pinned)
        self.model.take()

    def _acknowledge(self, sequence: int) -> None:
        self._desk.buys.acknowledge(sequence)
        self.model.take()
        self._tell()

    def _acknowledge_all(self) -> None:
        self._desk.buys.acknowledge_all()
        self.model.take()
        self._tell()

    def _filter(self, text: str) -> None:
        self.model.filter(text)
        self._tell()

    def _pause(self, paused: bool) -> None:
        self.model.pause(paused)
        self._tell()

    def _tell(self) -> None:
        waiting = self.model.waiting
        paused = say("feed.go_on", n=waiting) if waiting else say("feed.paused")
        self.pause.setText(paused if self.model.paused else say("feed.pause"))
        new = self._desk.buys.unseen
        self.seen.setText(say("feed.seen_new", n=new) if new else say("feed.seen_all"))
        shown = self.model.rowCount()
        self._empty.setText(say("feed.no_match") if len(self._desk.buys) else say("feed.nothing"))
        self._empty.setVisible(shown == 0)
        self.list.setVisible(shown > 0)


class _List(QTableView):
    chosen = pyqtSignal(QModelIndex)

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
        """Enter opens."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


if __name__ == "__main__":
    from glasstape_qt.alone import show

    show(lambda made: FeedList(made.desk, made.appearance))
