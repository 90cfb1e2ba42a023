"""Composition root of the desktop."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from glasstape_qt.i18n import tr
from glasstape_qt.link import Link
from glasstape_qt.state import preferences as preferences_file
from glasstape_qt.state import snapshot
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.crash_reporter import CrashReporter
from glasstape_qt.views.main_window import MainWindow

SNAPSHOT_INTERVAL_S = 60
GIL_SWITCH_INTERVAL_S = 0.001
"""Shorter than Python's default of 5 ms, so that the GUI thread gets the GIL sooner."""


@dataclass
class DesktopComponents:
    """The parts of a desktop."""

    application: QApplication
    preferences: Preferences
    store: SignalStore
    link: Link
    window: MainWindow


def tune_gc() -> None:
    """Freeze the objects made so far and make collections rare and short, so that none blocks the GUI."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def tune_interpreter() -> None:
    """Tune GIL and garbage collector for a responsive GUI thread."""
    sys.setswitchinterval(GIL_SWITCH_INTERVAL_S)
    tune_gc()


def assemble(
    preferences: Preferences,
    save: Callable[[], None] = lambda: None,
    connect: Callable[[Profile], None] | None = None,
) -> DesktopComponents:
    """Create the components, not connected yet.

    Args:
        preferences: edited in place by the window.
        save: writes `preferences`; called after each change.
        connect: connects to a profile; None: without restoring its last rows.
    """
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("glasstape")
    appearance = Appearance(application, preferences)
    store = SignalStore()
    link = Link(store)
    window = MainWindow(store, link, appearance, preferences, save, connect)
    return DesktopComponents(application, preferences, store, link, window)


def run(
    connection: Profile | str | None, duration: float | None, *, token_file: str = "", once: bool = False
) -> int:
    """Open the desktop until its window is closed; return the exit status.

    Args:
        connection: server or session to connect to; or the name of a stored profile; None: the one used last.
        duration: seconds after which the window is closed; None: no limit.
        token_file: file of the token to use for it; "": that of the profile.
        once: do not use the same connection at the next start.
    """
    desktop = DesktopApplication()
    try:
        profile = select_connection(desktop.components.preferences, connection, token_file, once=once)
    except ValueError as error:
        print(f"glasstape desk: {error}", file=sys.stderr)
        return 1
    return desktop.run(profile, duration)


def select_connection(
    preferences: Preferences, connection: Profile | str | None, token_file: str, *, once: bool
) -> Profile:
    """Return what to connect to, and remember it for the next start unless `once`.

    Raises:
        ValueError: no profile has that name.
    """
    stored = {profile.name: profile for profile in preferences.profiles}
    if connection is None:
        profile = preferences.current()
    elif isinstance(connection, Profile):
        profile = connection
    elif connection in stored:
        profile = stored[connection]
    else:
        raise ValueError(f"--profile: must be one of {', '.join(stored)}, is {connection!r}")
    if token_file:
        profile = profile.model_copy(update={"token_file": token_file})
    if once:
        return profile
    if profile.name in stored and profile == stored[profile.name]:
        preferences.profile, preferences.last_connection = profile.name, None
    else:
        preferences.last_connection = profile
    return profile


class DesktopApplication:
    """The desktop with its files: preferences, the last rows of each profile, and the crash log."""

    def __init__(self) -> None:
        self._preferences_path = preferences_file.folder() / "desktop.json"
        own = os.environ.get("GLASSTAPE_CONFIG")
        self._state_folder = Path(own or platformdirs.user_state_dir("glasstape", appauthor=False))
        preferences, self._preferences_error = preferences_file.load(self._preferences_path)
        self.components = assemble(preferences, self._save_preferences, self.connect)

    def run(self, profile: Profile, duration: float | None) -> int:
        """Connect to a profile until the window is closed; return the exit status.

        Args:
            profile: profile to connect to.
            duration: seconds after which the window is closed; None: no limit.
        """
        crashes, window = CrashReporter(self._state_folder / "crash.log"), self.components.window
        window.show()
        self.connect(profile)
        if self._preferences_error:
            window.show_notice(tr("settings.damaged", error=self._preferences_error))
        tune_interpreter()
        snapshot_timer = QTimer(window)
        snapshot_timer.timeout.connect(self.save_rows)
        snapshot_timer.start(1000 * SNAPSHOT_INTERVAL_S)
        if duration is not None:
            QTimer.singleShot(round(duration * 1000), window.close)
        window.closed.connect(self.components.application.quit)
        # Python runs signal handlers only between bytecodes; the link's timer lets it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: window.close())
        self.components.application.exec()
        self.save_rows()
        crashes.close()
        return 0

    def connect(self, profile: Profile) -> None:
        """Disconnect, show the last rows of another profile, and connect to it."""
        store, window = self.components.store, self.components.window
        self.save_rows()
        store.clear()
        _, error = snapshot.load(snapshot.path_of(self._state_folder, profile), store)
        if error:
            window.show_notice(tr("snapshot.damaged", error=error))
        self.components.link.open(profile)

    def save_rows(self) -> None:
        """Write the rows for the next start, unless they are replayed (of another year) or all old."""
        store, link = self.components.store, self.components.link
        has_new = any(not row.old for row in store.rows.values())
        if store.connection.replay or store.connection.state is LinkState.CONNECTING or not has_new:
            return
        try:
            snapshot.save(snapshot.path_of(self._state_folder, link.profile), store)
        except OSError as error:
            self.components.window.show_notice(tr("snapshot.not_saved", error=error))

    def _save_preferences(self) -> None:
        try:
            preferences_file.save(self._preferences_path, self.components.preferences)
        except OSError as error:
            self.components.window.show_notice(tr("settings.not_saved", error=error))
