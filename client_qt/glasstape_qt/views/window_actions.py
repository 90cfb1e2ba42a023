"""Menus and shortcuts of the main window."""

from collections.abc import Callable, Mapping

from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu

from glasstape_qt.i18n import tr
from glasstape_qt.views.shortcuts import SHORTCUTS

MENUS = {
    "file": ("profiles", "record", "faster", "slower", "export", "quit"),
    "view": ("table", "feed", "trust", "importance", "detail", "bigger", "smaller", "usual", "reset_layout"),
    "signal": ("find", "live", "compare", "copy_python", "pause", "seen", "mute"),
    "tools": ("settings", "help", "about"),
}
"""Names of the actions in each menu, from the top."""


class WindowActions:
    """One `QAction` per action name, named `action_<name>`, with its shortcut.

    Args:
        window: gets the menus.
        handlers: called when an action is triggered, by action name.
    """

    def __init__(self, window: QMainWindow, handlers: Mapping[str, Callable[[], object]]) -> None:
        self._actions: dict[str, QAction] = {}
        self._menus: dict[str, QMenu] = {}
        bar = window.menuBar()
        for menu_name, names in MENUS.items():
            menu = bar.addMenu("") if bar is not None else None
            if menu is None:
                continue
            self._menus[menu_name] = menu
            for name in names:
                action = QAction(window)
                action.setObjectName(f"action_{name}")
                if name in SHORTCUTS:
                    action.setShortcut(QKeySequence(SHORTCUTS[name]))
                action.triggered.connect(lambda _=False, name=name: handlers[name]())
                menu.addAction(action)
                self._actions[name] = action
        self.restyle()

    def restyle(self) -> None:
        """Apply the language."""
        for name, menu in self._menus.items():
            menu.setTitle(tr(f"menu.{name}"))
        for name, action in self._actions.items():
            action.setText(tr(f"action.{name}"))

    def set_checked(self, name: str, checked: bool) -> None:
        """Show an action as on or off."""
        self._actions[name].setCheckable(True)
        self._actions[name].setChecked(checked)
