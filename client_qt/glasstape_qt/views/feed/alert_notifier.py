"""Alerts by sound and by system notification; each works without the other."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QUrl, pyqtSignal
from PyQt6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from glasstape_qt.i18n import language, tr
from glasstape_qt.state.alerts import GROUP_ABOVE, AlertNotification
from glasstape_qt.state.watch_row import WatchRow

MAX_NAMES = 5
"""Symbols of a group that are named."""


if TYPE_CHECKING:
    from PyQt6.QtMultimedia import QSoundEffect


class AlertNotifier(QObject):
    """Plays the sound and shows the notification; the alert tracker limits how often."""

    clicked = pyqtSignal(str)
    """Symbol of the notification that was clicked."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._symbol = ""
        self._sound = _load_sound(self)
        self._tray: QSystemTrayIcon | None = None
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._tray = QSystemTrayIcon(window.windowIcon(), window)
            self._tray.messageClicked.connect(lambda: self.clicked.emit(self._symbol))
            self._tray.show()
        self.sounds_played = 0

    def notify(self, notification: AlertNotification) -> None:
        """Play the sound and show the system notification, as far as requested."""
        if notification.sound:
            self.sounds_played += 1
            if self._sound is not None:
                self._sound.play()
            else:
                QApplication.beep()
        if notification.notify and self._tray is not None:
            self._symbol = notification.rows[0].symbol
            self._tray.showMessage(tr("alert.title"), alert_text(notification.rows))


def alert_text(rows: Sequence[WatchRow]) -> str:
    """Return one line for a symbol or a group of symbols."""
    if len(rows) > GROUP_ABOVE:
        strongest = sorted(rows, key=lambda row: -row.event.signal.probabilities.up)
        names = ", ".join(_name(row) for row in strongest[:MAX_NAMES])
        return tr("alert.group", n=len(rows), names=names)
    return " · ".join(
        tr("alert.symbol", name=_name(row), up=f"{row.event.signal.probabilities.up:.1%}") for row in rows
    )


def _name(row: WatchRow) -> str:
    name = row.name(language())
    return f"{name} {row.symbol}" if name and name != row.symbol else row.symbol


def _load_sound(parent: QObject) -> "QSoundEffect | None":
    """Return the alert sound; None (use the system's beep) without QtMultimedia's libraries or an output."""
    try:
        from PyQt6.QtMultimedia import QMediaDevices, QSoundEffect
    except ImportError:
        return None
    if not QMediaDevices.audioOutputs():
        return None
    effect = QSoundEffect(parent)
    effect.setSource(QUrl.fromLocalFile(str(files("glasstape_qt") / "resources/buy.wav")))
    return effect
