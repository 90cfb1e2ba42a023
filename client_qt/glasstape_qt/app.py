"""The desktop's composition root."""

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

from glasstape_qt.i18n import say
from glasstape_qt.link import Link
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state import preferences as kept
from glasstape_qt.state import snapshot
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.views.crash import CrashWatch
from glasstape_qt.views.window import MainWindow

SNAPSHOT_SECONDS = 60


@dataclass
class Parts:
    """What a running desktop is made of."""

    application: QApplication
    preferences: Preferences
    desk: Desk
    link: Link
    window: MainWindow


def calm() -> None:
    """Tune the interpreter for a screen: short waits for the GIL, few and small collections."""
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def assemble(
    preferences: Preferences,
    save: Callable[[], None] = lambda: None,
    follow: Callable[[Profile], None] | None = None,
) -> Parts:
    """Build the desktop; nothing is connected yet."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("glasstape")
    appearance = Appearance(application, preferences)
    desk = Desk()
    link = Link(desk)
    window = MainWindow(desk, link, appearance, preferences, save, follow)
    return Parts(application, preferences, desk, link, window)


def run(profile: Profile | str | None, duration: float | None) -> int:
    """Open the desktop until it is closed, or for `duration` seconds; returns the exit status.

    Args:
        profile: what to follow, for this time; or the name of a kept one; None: the one last used.
        duration: seconds.
    """
    running = Running()
    if isinstance(profile, str):
        names = [known.name for known in running.parts.preferences.profiles]
        if profile not in names:
            print(
                f"glasstape desk: --profile: must be one of {', '.join(names)}, is {profile!r}",
                file=sys.stderr,
            )
            return 1
        running.parts.preferences.profile = profile
    return running.run(
        profile if isinstance(profile, Profile) else running.parts.preferences.current(), duration
    )


class Running:
    """The desktop with everything that outlives it: settings, the rows of each profile, the crash log."""

    def __init__(self) -> None:
        self._settings = kept.folder() / "desktop.json"
        own = os.environ.get("GLASSTAPE_CONFIG")
        self._state = Path(own or platformdirs.user_state_dir("glasstape", appauthor=False))
        preferences, self._trouble = kept.load(self._settings)
        self.parts = assemble(preferences, self._save, self.follow)

    def run(self, profile: Profile, duration: float | None) -> int:
        """Follow a profile until the window is closed; returns the exit status."""
        crashes, window = CrashWatch(self._state / "crash.log"), self.parts.window
        window.show()
        self.follow(profile)
        if self._trouble:
            window.tell(say("settings.damaged", error=self._trouble))
        calm()
        keeper = QTimer(window)
        keeper.timeout.connect(self._keep_rows)
        keeper.start(1000 * SNAPSHOT_SECONDS)
        if duration is not None:
            QTimer.singleShot(round(duration * 1000), window.close)
        window.closed.connect(self.parts.application.quit)
        # Python sees a signal only when it runs; the drain timer lets it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: window.close())
        self.parts.application.exec()
        self._keep_rows()
        crashes.close()
        return 0

    def follow(self, profile: Profile) -> None:
        """Leave what is followed, show the last rows of another profile, and connect to it."""
        desk, window = self.parts.desk, self.parts.window
        self._keep_rows()
        desk.forget()
        _, damage = snapshot.load(snapshot.path_of(self._state, profile), desk)
        if damage:
            window.tell(say("snapshot.damaged", error=damage))
        self.parts.link.open(profile)

    def _save(self) -> None:
        try:
            kept.save(self._settings, self.parts.preferences)
        except OSError as error:
            self.parts.window.tell(say("settings.not_kept", error=error))

    def _keep_rows(self) -> None:
        """Replays are not kept: they would open as the market of another year. Nor is what was old already."""
        desk, link = self.parts.desk, self.parts.link
        fresh = any(not row.old for row in desk.rows.values())
        if desk.connection.replay or desk.connection.state is LinkState.CONNECTING or not fresh:
            return
        try:
            snapshot.save(snapshot.path_of(self._state, link.profile), desk)
        except OSError as error:
            self.parts.window.tell(say("snapshot.not_kept", error=error))
