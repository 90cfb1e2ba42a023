"""Menus and keys of the main window."""

from collections.abc import Callable

from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu

from glasstape_qt.i18n import say
from glasstape_qt.views.shortcuts import KEYS

MENUS = {
    "file": ("profiles", "record", "faster", "slower", "export", "quit"),
    "view": ("table", "feed", "trust", "detail", "bigger", "smaller", "usual", "reset_layout"),
    "signal": ("find", "live", "compare", "copy_python", "pause", "seen", "mute"),
    "tools": ("settings", "help", "about"),
}


class Actions:
    """One action for each thing that can be done; menus say them in the language in use."""

    def __init__(self, window: QMainWindow, does: dict[str, Callable[[], object]]) -> None:
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, QMenu] = {}
        bar = window.menuBar()
        for menu, names in MENUS.items():
            made = bar.addMenu("") if bar is not None else None
            if made is None:
                continue
            self._menus[menu] = made
            for name in names:
                action = QAction(window)
                action.setObjectName(f"action_{name}")
                if name in KEYS:
                    action.setShortcut(QKeySequence(KEYS[name]))
                action.triggered.connect(lambda _=False, name=name: does[name]())
                made.addAction(action)
                self._actions[name] = action
        self.restyle()

    def restyle(self) -> None:
        """Another language."""
        for name, menu in self._menus.items():
            menu.setTitle(say(f"menu.{name}"))
        for name, action in self._actions.items():
            action.setText(say(f"keys.{name}"))

    def check(self, name: str, on: bool) -> None:
        """Show a switch as on or off."""
        self._actions[name].setCheckable(True)
        self._actions[name].setChecked(on)
