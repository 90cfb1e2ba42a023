"""Saves and restores the layout of window, docks and columns."""

import base64
import binascii

from PyQt6.QtCore import QByteArray
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QHeaderView, QMainWindow, QWidget

from glasstape_qt.state.preferences import Preferences

SCHEMA = 2
"""Version of the layout; raised when docks or columns are renamed or added."""


def save(preferences: Preferences, window: QMainWindow, headers: dict[str, QHeaderView]) -> None:
    """Store the layout in the preferences."""
    states = {"window": window.saveGeometry(), "docks": window.saveState(SCHEMA)}
    states |= {name: header.saveState() for name, header in headers.items()}
    preferences.layouts = {
        _key(name): base64.b64encode(state.data()).decode() for name, state in states.items()
    }


def restore(preferences: Preferences, window: QMainWindow, headers: dict[str, QHeaderView]) -> None:
    """Restore the layout of the preferences; parts that cannot be read keep the default."""
    if (geometry := _state(preferences, "window")) is not None:
        window.restoreGeometry(geometry)
    if (docks := _state(preferences, "docks")) is not None:
        window.restoreState(docks, SCHEMA)
    for name, header in headers.items():
        if (state := _state(preferences, name)) is not None:
            header.restoreState(state)
    move_to_screen(window)


def move_to_screen(window: QWidget) -> None:
    """Shrink a window to its screen; one whose screen is disconnected moves to the primary screen."""
    frame = window.frameGeometry()
    shown_on = next((s for s in QGuiApplication.screens() if s.availableGeometry().intersects(frame)), None)
    screen = shown_on or QGuiApplication.primaryScreen()
    if screen is None:
        return
    available = screen.availableGeometry()
    if window.width() > available.width() or window.height() > available.height():
        window.resize(min(window.width(), available.width()), min(window.height(), available.height()))
    if shown_on is None:
        window.move(available.center() - window.rect().center())


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
