"""Docks of open details: the first dock, tabs beside it, and windows of their own."""

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QApplication, QDockWidget, QMainWindow

from glasstape_qt.i18n import tr
from glasstape_qt.link import Link
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.detail.detail_view import DetailView
from glasstape_qt.views.mnemonics import without_mnemonic
from glasstape_qt.views.window_layout import move_to_screen

WINDOW_SIZE = (760, 820)
"""Initial size of a detail in its own window, in pixels."""
FRAME = 48
"""Pixels that the frame of a window takes of the height of a screen at most."""
WINDOW_FLAGS = (
    Qt.WindowType.Window
    | Qt.WindowType.CustomizeWindowHint
    | Qt.WindowType.WindowTitleHint
    | Qt.WindowType.WindowMinMaxButtonsHint
    | Qt.WindowType.WindowCloseButtonHint
)
"""A dock that floats is a tool window otherwise, which cannot be minimized."""


class DetailDocks(QObject):
    """One `DetailView` per dock; the first dock is reused for every symbol."""

    preferences_changed = pyqtSignal()
    """The user changed what is stored of a chart."""

    def __init__(
        self,
        window: QMainWindow,
        store: SignalStore,
        link: Link,
        appearance: Appearance,
        preferences: Preferences,
    ) -> None:
        super().__init__(window)
        self._window, self._store, self._link = window, store, link
        self._appearance, self._preferences = appearance, preferences
        self.dock = QDockWidget(tr("detail.title"), window)
        self.dock.setObjectName("detailDock")
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.dock.hide()
        self.others: list[QDockWidget] = []
        """Tabs and windows."""

    def open(self, symbol: str, place: str = "", sequence: int | None = None) -> DetailView | None:
        """Show a symbol, or a past signal of it; return None if the symbol is unknown.

        Args:
            symbol: a symbol with a signal, or an instrument of the server.
            place: "dock", "tab" or "window"; "" is that of the preferences.
            sequence: sequence of a past signal; None: the newest.
        """
        known = symbol in self._store.rows or (symbol in self._store.instruments and self._store.interval)
        if not known:
            return None
        place = place or self._preferences.detail_place
        dock = self.dock if place == "dock" else self._extra_dock(symbol, place)
        view = dock.widget()
        if not isinstance(view, DetailView) or view.symbol != symbol:
            view = self._set_view(symbol, dock)
        dock.show()
        dock.raise_()
        if place == "window":
            dock.activateWindow()
        if sequence is not None or view.detail.pinned is not None:
            view.reopen(sequence)
        return view

    def views(self) -> list[DetailView]:
        """Return every open detail."""
        widgets = [dock.widget() for dock in (self.dock, *self.others)]
        return [view for view in widgets if isinstance(view, DetailView)]

    def current(self) -> DetailView | None:
        """Return the detail that shortcuts apply to: the focused one, else the first visible one."""
        visible = [view for view in self.views() if view.isVisible()]
        focus = QApplication.focusWidget()
        focused = [view for view in visible if focus is not None and view.isAncestorOf(focus)]
        return next(iter([*focused, *visible]), None)

    def apply_changes(self, changes: StoreChanges) -> None:
        """Show what changed in the store."""
        for view in self.views():
            view.apply_changes(changes)

    def open_details(self) -> list[str]:
        """Return the details to open again at the next start, as "symbol place"."""
        first, details = self.dock.widget(), []
        if isinstance(first, DetailView) and not self.dock.isHidden():
            details.append(f"{first.symbol} dock")
        for dock in self.others:
            view = dock.widget()
            if isinstance(view, DetailView):
                details.append(f"{view.symbol} {'window' if dock.isFloating() else 'tab'}")
        return details

    def close_all(self) -> None:
        """Close every detail: the server changes."""
        for dock in self.others:
            self._window.removeDockWidget(dock)
            dock.deleteLater()
        self.others.clear()
        view = self.dock.widget()
        if view is not None:
            view.deleteLater()
            self.dock.setWidget(None)
        self.dock.hide()

    def _set_view(self, symbol: str, dock: QDockWidget) -> DetailView:
        old = dock.widget()
        view = DetailView(symbol, self._store, self._link, self._appearance, self._preferences)
        view.preferences_changed.connect(self.preferences_changed)
        view.title_changed.connect(lambda title: dock.setWindowTitle(without_mnemonic(title)))
        dock.setWidget(view)
        view.restyle()
        if old is not None:
            old.deleteLater()
        return view

    def _extra_dock(self, symbol: str, place: str) -> QDockWidget:
        name = f"detail:{symbol}:{place}"
        for dock in self.others:
            if dock.objectName() == name:
                return dock
        dock = QDockWidget(without_mnemonic(symbol), self._window)
        dock.setObjectName(name)
        dock.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dock.destroyed.connect(lambda: self._remove(dock))
        self._window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        if place == "window":
            self._make_window(dock, symbol)
        else:
            self._window.tabifyDockWidget(self.dock, dock)
        self.others.append(dock)
        return dock

    def _make_window(self, dock: QDockWidget, symbol: str) -> None:
        """Give a detail a window of its own, with minimize and maximize, where it was the last time."""
        dock.setFloating(True)
        dock.setWindowFlags(WINDOW_FLAGS)
        known, screen = self._preferences.detail_windows.get(symbol), self._window.screen()
        if known is not None:
            dock.setGeometry(*known)
        elif screen is not None:
            dock.resize(QSize(*WINDOW_SIZE).boundedTo(screen.availableGeometry().size() - QSize(0, FRAME)))
        move_to_screen(dock)
        dock.setProperty("symbol", symbol)
        dock.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Remember where a detail's window is."""
        moved = event is not None and event.type() in (QEvent.Type.Move, QEvent.Type.Resize)
        if moved and isinstance(watched, QDockWidget) and watched.isVisible() and watched.isFloating():
            place = watched.geometry()
            self._preferences.detail_windows[watched.property("symbol")] = (
                place.x(), place.y(), place.width(), place.height()
            )  # fmt: skip
        return False

    def _remove(self, dock: QDockWidget) -> None:
        self.others = [other for other in self.others if other is not dock]
