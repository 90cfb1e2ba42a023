"""Where windows, docks and columns were. Kept by a schema number, so that an upgrade loses nothing."""

import base64
import binascii

from PyQt6.QtCore import QByteArray
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QHeaderView, QMainWindow, QWidget

from glasstape_qt.state.preferences import Preferences

SCHEMA = 1
"""Changes when docks or columns get other names."""


def keep(preferences: Preferences, window: QMainWindow, headers: dict[str, QHeaderView]) -> None:
    """Write down how everything stands."""
    kept = {"window": window.saveGeometry(), "docks": window.saveState(SCHEMA)}
    kept |= {name: header.saveState() for name, header in headers.items()}
    preferences.layouts = {
        _key(name): base64.b64encode(state.data()).decode() for name, state in kept.items()
    }


def restore(preferences: Preferences, window: QMainWindow, headers: dict[str, QHeaderView]) -> None:
    """Put everything back; what cannot be read is left as it is."""
    if (geometry := _state(preferences, "window")) is not None:
        window.restoreGeometry(geometry)
    if (docks := _state(preferences, "docks")) is not None:
        window.restoreState(docks, SCHEMA)
    for name, header in headers.items():
        if (state := _state(preferences, name)) is not None:
            header.restoreState(state)
    bring_back(window)


def bring_back(window: QWidget) -> None:
    """A window on a screen that is gone comes to one that is there, no larger than it."""
    frame = window.frameGeometry()
    if any(screen.availableGeometry().intersects(frame) for screen in QGuiApplication.screens()):
        return
    primary = QGuiApplication.primaryScreen()
    if primary is not None:
        room = primary.availableGeometry()
        window.resize(min(window.width(), room.width()), min(window.height(), room.height()))
        window.move(room.center() - window.rect().center())


def _key(name: str) -> str:
    return f"{name}:{SCHEMA}"


def _state(preferences: Preferences, name: str) -> QByteArray | None:
    text = preferences.layouts.get(_key(name))
    if not text:
        return None
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
