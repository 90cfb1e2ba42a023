"""Keeps the wheel from changing a control that the user only scrolls past."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QWidget


class FocusedWheel(QObject):
    """An event filter of a control: without the keyboard's focus, the wheel is left to what contains it."""

    def __init__(self, control: QWidget) -> None:
        super().__init__(control)
        control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Stop wheel events of a control without focus."""
        scrolled = event is not None and event.type() == QEvent.Type.Wheel
        if not scrolled or event is None or not isinstance(watched, QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True
