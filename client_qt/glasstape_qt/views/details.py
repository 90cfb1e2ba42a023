"""Open details: in the dock, in tabs beside it, or in windows of their own."""

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtWidgets import QApplication, QDockWidget, QMainWindow

from glasstape_qt.i18n import say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.views.detail import DetailView


class Details(QObject):
    """Keeps one `DetailView` in each dock; the first dock is used again for every symbol."""

    def __init__(
        self, window: QMainWindow, desk: Desk, link: Link, appearance: Appearance, preferences: Preferences
    ) -> None:
        super().__init__(window)
        self._window, self._desk, self._link = window, desk, link
        self._appearance, self._preferences = appearance, preferences
        self.dock = QDockWidget(say("detail.title"), window)
        self.dock.setObjectName("detailDock")
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.dock.hide()
        self.others: list[QDockWidget] = []

    def open(self, symbol: str, place: str = "", sequence: int | None = None) -> DetailView | None:
        """Show a symbol, or a past signal of it; None if nothing is known of it."""
        if symbol not in self._desk.rows:
            return None
        place = place or self._preferences.detail_place
        dock = self.dock if place == "dock" else self._new(symbol, place)
        view = dock.widget()
        if not isinstance(view, DetailView) or view.symbol != symbol:
            view = self._view(symbol, dock)
        dock.show()
        dock.raise_()
        if place == "window":
            dock.activateWindow()
        if sequence is not None or view.detail.pinned is not None:
            view.reopen(sequence)
        return view

    def views(self) -> list[DetailView]:
        """Every open detail."""
        found = [dock.widget() for dock in (self.dock, *self.others)]
        return [view for view in found if isinstance(view, DetailView)]

    def current(self) -> DetailView | None:
        """The one that keys are meant for: with the focus, else the first that is shown."""
        shown = [view for view in self.views() if view.isVisible()]
        focus = QApplication.focusWidget()
        focused = [view for view in shown if focus is not None and view.isAncestorOf(focus)]
        return next(iter([*focused, *shown]), None)

    def take(self, changes: Changes) -> None:
        """The desk has changed."""
        for view in self.views():
            view.take(changes)

    def opened(self) -> list[str]:
        """What to open again at the next start: "symbol place"."""
        first = self.dock.widget()
        kept = [f"{first.symbol} dock"] if isinstance(first, DetailView) and not self.dock.isHidden() else []
        for dock in self.others:
            view = dock.widget()
            if isinstance(view, DetailView):
                kept.append(f"{view.symbol} {'window' if dock.isFloating() else 'tab'}")
        return kept

    def close_all(self) -> None:
        """Another server: what stood here is no longer true."""
        for dock in self.others:
            self._window.removeDockWidget(dock)
            dock.deleteLater()
        self.others.clear()
        view = self.dock.widget()
        if view is not None:
            view.deleteLater()
            self.dock.setWidget(None)
        self.dock.hide()

    def _view(self, symbol: str, dock: QDockWidget) -> DetailView:
        old = dock.widget()
        view = DetailView(symbol, self._desk, self._link, self._appearance, self._preferences)
        view.titled.connect(dock.setWindowTitle)
        dock.setWidget(view)
        view.restyle()
        if old is not None:
            old.deleteLater()
        return view

    def _new(self, symbol: str, place: str) -> QDockWidget:
        name = f"detail:{symbol}:{place}"
        for dock in self.others:
            if dock.objectName() == name:
                return dock
        dock = QDockWidget(symbol, self._window)
        dock.setObjectName(name)
        dock.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dock.destroyed.connect(lambda: self._forget(dock))
        self._window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        if place == "window":
            dock.setFloating(True)
            dock.resize(760, 820)
        else:
            self._window.tabifyDockWidget(self.dock, dock)
        self.others.append(dock)
        return dock

    def _forget(self, dock: QDockWidget) -> None:
        self.others = [other for other in self.others if other is not dock]
