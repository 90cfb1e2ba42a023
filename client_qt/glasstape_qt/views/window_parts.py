"""The parts of the main window and their places: table in the middle, docks around it, status line below."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication, QShowEvent
from PyQt6.QtWidgets import QDockWidget, QHeaderView, QMainWindow, QVBoxLayout, QWidget

from glasstape_qt.link import Link
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.theme.icon import application_icon
from glasstape_qt.views.detail.detail_docks import DetailDocks
from glasstape_qt.views.feed.alert_line import AlertLine
from glasstape_qt.views.feed.feed_list import FeedList
from glasstape_qt.views.importance.importance_panel import ImportancePanel
from glasstape_qt.views.notice_bar import NoticeBar
from glasstape_qt.views.status_strip import StatusStrip
from glasstape_qt.views.trust.trust_panel import TrustPanel
from glasstape_qt.views.watch.watch_panel import WatchPanel

WIDTH, HEIGHT = 1280, 800
FRAME = 48
"""Pixels that the frame of the window takes of the height of a screen at most."""
DETAIL_SHARE, FEED_SHARE = 46, 24
"""Percent of the window's width that a detail takes, and of its height that the buys take."""


class WindowParts(QMainWindow):
    """Creates and places the parts."""

    def __init__(
        self, store: SignalStore, link: Link, appearance: Appearance, preferences: Preferences
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowIcon(application_icon())
        self.store, self.link, self.appearance, self.preferences = store, link, appearance, preferences
        self.setMinimumSize(640, 420)
        self._resize_to_screen()
        self.watch = WatchPanel(store, appearance, preferences)
        self.notice, self.alerts = NoticeBar(appearance), AlertLine(appearance)
        center = QWidget()
        layout = QVBoxLayout(center)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for widget in (self.notice, self.alerts):
            layout.addWidget(widget)
        layout.addWidget(self.watch, 1)
        self.setCentralWidget(center)
        self.feed = FeedList(store, appearance, preferences)
        self.trust = TrustPanel(store, link, appearance)
        self.importance = ImportancePanel(store, link, appearance)
        self._build_docks()
        self.status = StatusStrip(store, link, appearance, preferences)
        bar = self.statusBar()
        if bar is not None:
            bar.setSizeGripEnabled(False)
            bar.addWidget(self.status, 1)

    def headers(self) -> dict[str, QHeaderView]:
        """Return the headers whose columns are stored."""
        headers = {"watch": self.watch.table.horizontalHeader(), "feed": self.feed.list.horizontalHeader()}
        return {name: header for name, header in headers.items() if header is not None}

    def _resize_to_screen(self) -> None:
        """Take the default size, or what of it fits the screen with the window's frame."""
        screen = QGuiApplication.primaryScreen()
        free = screen.availableGeometry().size() if screen is not None else None
        width = WIDTH if free is None else min(WIDTH, free.width())
        height = HEIGHT if free is None else min(HEIGHT, free.height() - FRAME)
        self.resize(width, height)

    def _build_docks(self) -> None:
        self.setDockNestingEnabled(True)
        right = Qt.DockWidgetArea.RightDockWidgetArea
        self.setCorner(Qt.Corner.BottomRightCorner, right)
        self.feed_dock = self._add_dock("feedDock", self.feed, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.details = DetailDocks(self, self.store, self.link, self.appearance, self.preferences)
        self.trust_dock = self._add_dock("trustDock", self.trust, right)
        self.importance_dock = self._add_dock("importanceDock", self.importance, right)
        for first, second in ((self.importance_dock, self.trust_dock), (self.trust_dock, self.details.dock)):
            first.hide()
            self.tabifyDockWidget(first, second)
        self.share_space()

    def share_space(self) -> None:
        """Give the docks their default share of the window."""
        width, height = self.width(), self.height()
        self.resizeDocks([self.details.dock], [width * DETAIL_SHARE // 100], Qt.Orientation.Horizontal)
        self.resizeDocks([self.feed_dock], [height * FEED_SHARE // 100], Qt.Orientation.Vertical)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Share the space of the first window, whose size is known by now."""
        super().showEvent(event)
        if not self.preferences.layouts:
            self.share_space()

    def _add_dock(self, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock
