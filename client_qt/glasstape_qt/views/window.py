"""The main window: watch table, feed list, details, trust panel, and how the link stands."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from glasstape import calendars
from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QHeaderView,
    QLabel,
    QMainWindow,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state import exchange
from glasstape_qt.state.alerts import Rules
from glasstape_qt.state.desk import Changes, Desk
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.views import layout as places
from glasstape_qt.views.actions import Actions
from glasstape_qt.views.alert_line import AlertLine
from glasstape_qt.views.detail import DetailView
from glasstape_qt.views.details import Details
from glasstape_qt.views.feed_list import FeedList
from glasstape_qt.views.profiles import ProfilesDialog
from glasstape_qt.views.ringing import Ringing
from glasstape_qt.views.settings import SettingsDialog
from glasstape_qt.views.shortcuts import KeySheet
from glasstape_qt.views.status import StatusStrip
from glasstape_qt.views.trust import TrustPanel
from glasstape_qt.views.watch_panel import WatchPanel

CLOCK_MILLISECONDS = 500
ZOOM_STEP = 0.1


class MainWindow(QMainWindow):
    """Views over one desk. Everything it keeps is in `preferences`; `save` writes them, `follow` opens a profile."""

    closed = pyqtSignal()
    """Everything has ended in order."""

    def __init__(
        self,
        desk: Desk,
        link: Link,
        appearance: Appearance,
        preferences: Preferences,
        save: Callable[[], None] = lambda: None,
        follow: Callable[[Profile], None] | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.desk, self.link, self.appearance, self.preferences = desk, link, appearance, preferences
        self._save = save
        self._follow = follow or self._begin_anew
        self._reopen = list(preferences.open_details)
        self.resize(1280, 800)
        self.setMinimumSize(640, 420)
        self.watch = WatchPanel(desk, appearance, preferences)
        self.notice, self.alerts = QLabel(), AlertLine(appearance)
        self.notice.setObjectName("notice")
        self.notice.setWordWrap(True)
        self.notice.setTextFormat(Qt.TextFormat.PlainText)  # errors come from the server
        self.notice.hide()
        centre = QWidget()
        layout = QVBoxLayout(centre)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.notice, self.alerts):
            layout.addWidget(widget)
        layout.addWidget(self.watch, 1)
        self.setCentralWidget(centre)
        self.setDockNestingEnabled(True)
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self.feed = FeedList(desk, appearance)
        self.trust = TrustPanel(desk, link, appearance)
        self.feed_dock = self._dock("feedDock", self.feed, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.details = Details(self, desk, link, appearance, preferences)
        self.trust_dock = self._dock("trustDock", self.trust, Qt.DockWidgetArea.RightDockWidgetArea)
        self.trust_dock.hide()
        self.tabifyDockWidget(self.trust_dock, self.details.dock)
        width, height = self.width(), self.height()
        self.resizeDocks([self.details.dock], [width * 46 // 100], Qt.Orientation.Horizontal)
        self.resizeDocks([self.feed_dock], [height * 28 // 100], Qt.Orientation.Vertical)
        self.status = StatusStrip(desk, link, appearance, preferences)
        bar = self.statusBar()
        if bar is not None:
            bar.setSizeGripEnabled(False)
            bar.addWidget(self.status, 1)
        self._ringing = Ringing(self)
        self._actions = Actions(self, self._deeds())
        self._plain = self.saveState(places.SCHEMA)
        places.restore(preferences, self, self._headers())
        self.watch.opened.connect(self.open_detail)
        self.feed.jumped.connect(lambda symbol, sequence: self.open_detail(symbol, "", sequence))
        self.watch.kept.connect(save)
        link.changed.connect(self.take)
        link.troubled.connect(lambda key, error: self.tell(say(key, error=error)))
        link.recorded.connect(self._recorded)
        self._clock = QTimer(self)
        self._clock.timeout.connect(self.tick)
        self._clock.start(CLOCK_MILLISECONDS)
        self._obey_rules()
        appearance.changed.connect(self.restyle)
        self.restyle()
        self.take(Changes(rows=set(desk.rows), reset=True))

    def restyle(self) -> None:
        """Another look or language."""
        self.setWindowTitle(say("window.title"))
        self.feed_dock.setWindowTitle(say("feed.title"))
        self.trust_dock.setWindowTitle(say("trust.title"))
        theme = self.appearance.theme
        bar = f"background: {theme.warning}; color: {theme.warning_text}; padding: 4px 8px;"
        self.notice.setStyleSheet(bar)
        self._actions.restyle()
        self._actions.check("mute", self.preferences.alerts.muted)

    def take(self, changes: Changes) -> None:
        """The desk has changed: every view takes what concerns it."""
        self.watch.take(changes)
        self.feed.take(changes)
        self.details.take(changes)
        self.trust.take(changes)
        if changes.lines:
            self.alerts.tell(changes.lines)
        if changes.call is not None:
            self._ringing.ring(changes.call)
        if self._reopen and changes.rows:
            self._open_again()

    def open_detail(self, symbol: str, place: str = "", sequence: int | None = None) -> DetailView | None:
        """Open a symbol, or a past signal of it."""
        view = self.details.open(symbol, place, sequence)
        if view is None:
            self.tell(say("detail.unknown", symbol=symbol))
        return view

    def tell(self, sentence: str) -> None:
        """Say something that the trader should know; an empty sentence goes away."""
        self.notice.setText(sentence)
        self.notice.setVisible(bool(sentence))

    def apply(self) -> None:
        """Preferences have changed: look and ring like this from now on, and keep them."""
        self._obey_rules()
        self.appearance.apply(self.preferences)
        self._save()

    def connect_to(self, name: str) -> None:
        """Follow another profile."""
        self.preferences.profile = name
        self.details.close_all()
        self.tell("")
        self.alerts.forget()
        self._follow(self.preferences.current())
        self.status.refresh()
        self._save()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """End the feed, keep everything, then go."""
        self._clock.stop()
        self.preferences.open_details = self.details.opened()
        places.keep(self.preferences, self, self._headers())
        self.link.close()
        self._save()
        super().closeEvent(event)
        self.closed.emit()

    def _begin_anew(self, profile: Profile) -> None:
        self.desk.forget()
        self.link.open(profile)

    def _dock(self, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _headers(self) -> dict[str, QHeaderView]:
        found = {"watch": self.watch.table.horizontalHeader(), "feed": self.feed.list.horizontalHeader()}
        return {name: header for name, header in found.items() if header is not None}

    def _deeds(self) -> dict[str, Callable[[], object]]:
        return {
            "profiles": self.show_profiles, "record": self._record, "export": self.watch.ask_export,
            "quit": self.close, "table": lambda: self.watch.table.setFocus(),
            "feed": lambda: self._show(self.feed_dock, self.feed.list),
            "trust": lambda: self._show(self.trust_dock, self.trust), "detail": self._show_detail,
            "bigger": lambda: self._zoom(ZOOM_STEP), "smaller": lambda: self._zoom(-ZOOM_STEP),
            "usual": lambda: self._zoom(1 - self.preferences.zoom), "reset_layout": self._reset_layout,
            "find": self._find,
            "live": lambda: self._with_detail(lambda view: view.reopen(None)),
            "compare": lambda: self._with_detail(lambda view: view.compare()),
            "copy_python": lambda: self._with_detail(lambda view: view.copy_as_python()),
            "pause": self.feed.pause.toggle, "seen": self.feed.seen.click, "mute": self._mute,
            "faster": lambda: self.link.change_speed(2.0),
            "slower": lambda: self.link.change_speed(0.5),
            "settings": self.show_settings, "help": self.show_keys, "about": self._about,
        }  # fmt: skip

    def _find(self) -> None:
        self.watch.search.setFocus()
        self.watch.search.selectAll()

    def tick(self) -> None:
        """Look at the clocks, once a second."""
        market_now, hours = self.desk.connection.market_now(), self.desk.hours
        for name in {row.instrument.exchange for row in self.desk.rows.values()} - {""}:
            calendars.load_in_background(name)
            hours[name] = exchange.hours(name, market_now)
        self.status.refresh()
        self.watch.watch_link()

    def _obey_rules(self) -> None:
        wanted = self.preferences.alerts
        self.desk.alerts.rules = Rules(**wanted.model_dump())

    def _open_again(self) -> None:
        for entry in list(self._reopen):
            symbol, _, place = entry.rpartition(" ")
            if symbol in self.desk.rows:
                self._reopen.remove(entry)
                self.open_detail(symbol, place)

    def _show(self, dock: QDockWidget, focus: QWidget) -> None:
        dock.show()
        dock.raise_()
        focus.setFocus()
        self.trust.take(Changes())

    def _show_detail(self) -> None:
        symbols = self.watch.table.selected_symbols()
        if symbols:
            self.open_detail(symbols[0])

    def _with_detail(self, deed: Callable[[DetailView], object]) -> None:
        view = self.details.current()
        if view is not None:
            deed(view)

    def _zoom(self, step: float) -> None:
        self.preferences.zoom = round(min(2.5, max(0.6, self.preferences.zoom + step)), 2)
        self.apply()

    def _mute(self) -> None:
        self.preferences.alerts.muted = not self.preferences.alerts.muted
        self.apply()

    def _reset_layout(self) -> None:
        self.restoreState(self._plain, places.SCHEMA)
        self.watch.reset_columns()

    def _record(self) -> None:
        if self.link.recording:
            self.link.stop_recording()
            return
        name, _ = QFileDialog.getSaveFileName(
            self, say("keys.record"), f"{datetime.now():%Y-%m-%d-%H%M}.session.gz", "Glasstape (*.session.gz)"
        )
        if name:
            self.link.record(Path(name))

    def _recorded(self) -> None:
        self.status.refresh()
        if not self.link.recording and not self.notice.isVisible():
            self.tell(say("record.done"))

    def show_profiles(self) -> ProfilesDialog:
        """Choose a server or a recorded session."""
        dialog = ProfilesDialog(self.preferences, self.appearance, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.chosen.connect(self.connect_to)
        dialog.finished.connect(lambda _: self._save())
        dialog.show()
        return dialog

    def show_settings(self) -> SettingsDialog:
        """Change settings, live."""
        dialog = SettingsDialog(self.preferences, self.appearance, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.applied.connect(self.apply)
        dialog.show()
        return dialog

    def show_keys(self) -> KeySheet:
        """Every key."""
        sheet = KeySheet(self)
        sheet.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sheet.show()
        return sheet

    def _about(self) -> None:
        from glasstape import __version__

        QMessageBox.about(self, say("keys.about"), say("about.text", version=__version__))


if __name__ == "__main__":
    from glasstape_qt.alone import show

    show(lambda made: MainWindow(made.desk, made.link, made.appearance, made.preferences))
