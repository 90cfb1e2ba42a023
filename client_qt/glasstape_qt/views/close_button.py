"""The close button of dialogs."""

from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QDialogButtonBox

from glasstape_qt.i18n import tr


def close_button() -> QDialogButtonBox:
    """Return a button box with a close button in the selected language, without the style's icon.

    The icon is black, which is invisible in the dark theme.
    """
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    button = box.button(QDialogButtonBox.StandardButton.Close)
    if button is not None:
        button.setIcon(QIcon())
        button.setText(tr("settings.close"))
    return box
