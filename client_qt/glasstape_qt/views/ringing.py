"""What an alert does: sound and a notification of the system. Each works without the other."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QUrl
from PyQt6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from glasstape_qt.i18n import language, say
from glasstape_qt.state.alerts import CROWD, Call
from glasstape_qt.state.rows import Row

NAMED = 5
"""Symbols of a crowd that are named."""


if TYPE_CHECKING:
    from PyQt6.QtMultimedia import QSoundEffect


class Ringing(QObject):
    """Rings once for a call; how often calls come is the state's business."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._sound = _sound(self)
        self._tray: QSystemTrayIcon | None = None
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._tray = QSystemTrayIcon(window.windowIcon(), window)
            self._tray.show()
        self.rung = 0
        """Sounds made."""

    def ring(self, call: Call) -> None:
        """Make the sound, show the notification."""
        if call.sound:
            self.rung += 1
            if self._sound is not None:
                self._sound.play()
            else:
                QApplication.beep()
        if call.notify and self._tray is not None:
            self._tray.showMessage(say("alert.title"), sentence(call.rows))


def sentence(rows: Sequence[Row]) -> str:
    """One line for a symbol or a crowd."""
    if len(rows) > CROWD:
        strongest = sorted(rows, key=lambda row: -row.event.signal.confidence.up)
        names = ", ".join(_name(row) for row in strongest[:NAMED])
        return say("alert.crowd", n=len(rows), names=names)
    return " · ".join(
        say("alert.one", name=_name(row), up=f"{row.event.signal.confidence.up:.1%}") for row in rows
    )


def _name(row: Row) -> str:
    name = row.name(language())
    return f"{name} {row.symbol}" if name and name != row.symbol else row.symbol


def _sound(parent: QObject) -> "QSoundEffect | None":
    """QtMultimedia needs libraries that a machine may lack; the system's beep is always there."""
    try:
        from PyQt6.QtMultimedia import QMediaDevices, QSoundEffect
    except ImportError:
        return None
    if not QMediaDevices.audioOutputs():
        return None
    effect = QSoundEffect(parent)
    effect.setSource(QUrl.fromLocalFile(str(files("glasstape_qt") / "resources/buy.wav")))
    return effect
