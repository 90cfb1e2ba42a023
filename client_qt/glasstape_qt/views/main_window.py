"""The main window: watch table, list of buys, details, trust panel and connection status."""

from collections.abc import Callable

from glasstape import calendars
from PyQt6.QtCore import QTimer, pyqtSignal
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QDockWidget, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.link import Link
from glasstape_qt.state import exchange
from glasstape_qt.state.alerts import AlertRules
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.state.store_changes import StoreChanges
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views import window_layout
from glasstape_qt.views.detail.detail_view import DetailView
from glasstape_qt.views.feed.alert_notifier import AlertNotifier
from glasstape_qt.views.watch.bars_loader import BarsLoader
from glasstape_qt.views.window_actions import WindowActions
from glasstape_qt.views.window_dialogs import WindowDialogs
from glasstape_qt.views.window_parts import WindowParts

CLOCK_INTERVAL_MS = 500
ZOOM_STEP = 0.1
MIN_ZOOM, MAX_ZOOM = 0.6, 3.0


class MainWindow(WindowParts):
    """Views of one store.

    Args:
        store: what the views show.
        link: the connection that fills the store.
        appearance: theme, language and size.
        preferences: edited in place.
        save: writes the preferences.
        connect: connects to a profile; None: clear the store and open the link.
    """

    closed = pyqtSignal()
    """The window is closed, the stream ended and the preferences saved."""

    def __init__(
        self,
        store: SignalStore,
        link: Link,
        appearance: Appearance,
        preferences: Preferences,
        save: Callable[[], None] = lambda: None,
        connect: Callable[[Profile], None] | None = None,
    ) -> None:
        super().__init__(store, link, appearance, preferences)
        self._save = save
        self._connect = connect or self._clear_and_open
        self._details_to_reopen = list(preferences.open_details)
        self._bars_loader = BarsLoader(link, store)
        self.notifier = AlertNotifier(self)
        self.dialogs = WindowDialogs(self, preferences, appearance, save)
        self._actions = WindowActions(self, self._action_handlers())
        self._default_layout = self.saveState(window_layout.SCHEMA)
        self._default_feed_header = self.headers()["feed"].saveState()
        window_layout.restore(preferences, self, self.headers())
        self.watch.layout_restored()
        if self.details.dock.widget() is None:
            self.details.dock.hide()  # an empty pane would take half of the window
        self._connect_signals()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self.tick)
        self._clock.start(CLOCK_INTERVAL_MS)
        self._apply_alert_rules()
        self.restyle()
        self.apply_changes(StoreChanges(rows=set(store.rows), reset=True))

    def restyle(self) -> None:
        """Apply theme and language."""
        self.setWindowTitle(tr("window.title"))
        self.feed_dock.setWindowTitle(tr("feed.title"))
        self.trust_dock.setWindowTitle(tr("trust.title"))
        self.importance_dock.setWindowTitle(tr("importance.title"))
        self._actions.restyle()
        self._actions.set_checked("mute", self.preferences.alerts.muted)

    def apply_changes(self, changes: StoreChanges) -> None:
        """Show what changed in the store, in every view."""
        self.watch.apply_changes(changes)
        self.feed.apply_changes(changes)
        self.details.apply_changes(changes)
        self.trust.apply_changes(changes)
        if changes.alerts:
            self.alerts.show_alerts(changes.alerts)
        if changes.notification is not None:
            self.notifier.notify(changes.notification)
        if self._details_to_reopen and changes.rows:
            self._reopen_details()

    def open_detail(self, symbol: str, place: str = "", sequence: int | None = None) -> DetailView | None:
        """Open a symbol, or a past signal of it; without a signal of it, show a notice and return None."""
        view = self.details.open(symbol, place, sequence)
        if view is None:
            self.show_notice(tr("detail.unknown", symbol=symbol))
        return view

    def show_notice(self, text: str) -> None:
        """Show a notice above the watch table; an empty text hides it."""
        self.notice.show_text(text)

    def apply_preferences(self) -> None:
        """Apply and save the preferences."""
        self._apply_alert_rules()
        self.appearance.apply(self.preferences)
        self._save()

    def connect_to(self, name: str) -> None:
        """Connect to another profile, by name."""
        self.preferences.profile, self.preferences.last_connection = name, None
        self.details.close_all()
        self.show_notice("")
        self.alerts.clear_alerts()
        self._bars_loader.clear()
        self._connect(self.preferences.current())
        self.status.refresh()
        self._save()

    def tick(self) -> None:
        """Update what depends on the clock; called every `CLOCK_INTERVAL_MS`."""
        market_now, hours = self.store.connection.market_now(), self.store.hours
        for name in {row.instrument.exchange for row in self.store.rows.values()} - {""}:
            calendars.load_in_background(name)
            hours[name] = exchange.hours(name, market_now)
        self.status.refresh()
        self.watch.update_freshness()
        self._bars_loader.load_in_view()
        for view in self.details.views():
            view.update_clock()

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Save the layout, end the stream, and save the preferences."""
        self._clock.stop()
        self.preferences.open_details = [*self.details.open_details(), *self._details_to_reopen]
        window_layout.save(self.preferences, self, self.headers())
        self.link.close()
        self._save()
        super().closeEvent(event)
        self.closed.emit()

    def _connect_signals(self) -> None:
        self.watch.detail_requested.connect(self.open_detail)
        self.feed.signal_requested.connect(lambda symbol, sequence: self.open_detail(symbol, "", sequence))
        self.alerts.signal_requested.connect(lambda symbol, sequence: self.open_detail(symbol, "", sequence))
        self.notifier.clicked.connect(self._notification_clicked)
        self.watch.preferences_changed.connect(self._save)
        self.feed.preferences_changed.connect(self._save)
        self.details.preferences_changed.connect(self._save)
        self.status.unmute_requested.connect(self._toggle_mute)
        self.link.changed.connect(self.apply_changes)
        self.link.failed.connect(lambda key, error: self.show_notice(tr(key, error=error)))
        self.link.recording_changed.connect(self._recording_changed)
        self.appearance.changed.connect(self.restyle)

    def _action_handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "profiles": lambda: self.dialogs.profiles(self.connect_to), "record": self._toggle_recording,
            "export": self.watch.export_dialog, "quit": self.close,
            "table": lambda: self.watch.table.setFocus(),
            "feed": lambda: self._show_dock(self.feed_dock, self.feed.list),
            "trust": lambda: self._show_dock(self.trust_dock, self.trust), "detail": self._show_detail,
            "importance": lambda: self._show_dock(self.importance_dock, self.importance), "find": self._focus_filter,
            "bigger": lambda: self._set_zoom(self.preferences.zoom + ZOOM_STEP),
            "smaller": lambda: self._set_zoom(self.preferences.zoom - ZOOM_STEP),
            "usual": lambda: self._set_zoom(1.0), "reset_layout": self._reset_layout,
            "live": lambda: self._with_detail(lambda view: view.reopen(None)),
            "compare": lambda: self._with_detail(lambda view: view.compare()),
            "copy_python": lambda: self._with_detail(lambda view: view.copy_as_python()),
            "pause": self.feed.pause.toggle, "seen": self.feed.seen.click, "mute": self._toggle_mute,
            "faster": lambda: self.link.change_speed(2.0),
            "slower": lambda: self.link.change_speed(0.5),
            "settings": lambda: self.dialogs.settings(self.apply_preferences, self.store.model),
            "help": self.dialogs.shortcuts, "about": self.dialogs.about,
        }  # fmt: skip

    def _clear_and_open(self, profile: Profile) -> None:
        self.store.clear()
        self.link.open(profile)

    def _apply_alert_rules(self) -> None:
        self.store.alerts.rules = AlertRules(**self.preferences.alerts.model_dump())

    def _reopen_details(self) -> None:
        """Open the details of the last run whose symbol has a row by now."""
        for entry in list(self._details_to_reopen):
            symbol, _, place = entry.rpartition(" ")
            if symbol in self.store.rows:
                self._details_to_reopen.remove(entry)
                self.open_detail(symbol, place)

    def _focus_filter(self) -> None:
        self.watch.search.setFocus()
        self.watch.search.selectAll()

    def _show_dock(self, dock: QDockWidget, focus: QWidget) -> None:
        dock.show()
        dock.raise_()
        focus.setFocus()
        self.trust.apply_changes(StoreChanges())

    def _show_detail(self) -> None:
        symbols = self.watch.table.selected_symbols()
        if symbols:
            self.open_detail(symbols[0])

    def _with_detail(self, action: Callable[[DetailView], object]) -> None:
        view = self.details.current()
        if view is not None:
            action(view)

    def _set_zoom(self, zoom: float) -> None:
        self.preferences.zoom = round(min(MAX_ZOOM, max(MIN_ZOOM, zoom)), 2)
        self.apply_preferences()

    def _toggle_mute(self) -> None:
        self.preferences.alerts.muted = not self.preferences.alerts.muted
        self.apply_preferences()

    def _reset_layout(self) -> None:
        self.restoreState(self._default_layout, window_layout.SCHEMA)
        self.watch.reset_columns()
        self.headers()["feed"].restoreState(self._default_feed_header)

    def _notification_clicked(self, symbol: str) -> None:
        self.activateWindow()
        self.raise_()
        self.open_detail(symbol)

    def _toggle_recording(self) -> None:
        if self.link.recording:
            self.link.stop_recording()
            return
        path = self.dialogs.recording_path()
        if path is not None:
            self.link.start_recording(path)

    def _recording_changed(self) -> None:
        self.status.refresh()
        if not self.link.recording and not self.notice.isVisible():
            self.show_notice(tr("record.saved"))


if __name__ == "__main__":
    from glasstape_qt.preview import run_preview

    run_preview(
        lambda context: MainWindow(context.store, context.link, context.appearance, context.preferences)
    )
