"""The button that closes a dialog, the same everywhere."""

from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QDialogButtonBox

from glasstape_qt.i18n import say


def close_button() -> QDialogButtonBox:
    """With our word, and without the style's icon, which is black on dark."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    button = box.button(QDialogButtonBox.StandardButton.Close)
    if button is not None:
        button.setIcon(QIcon())
        button.setText(say("settings.close"))
    return box
