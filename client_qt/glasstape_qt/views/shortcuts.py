"""Keyboard shortcuts, and the dialog that lists them (F1)."""

from PyQt6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.views.close_button import close_button

SHORTCUTS = {
    "find": "Ctrl+F", "open": "Enter", "open_tab": "Ctrl+Enter", "open_window": "Shift+Enter",
    "live": "Ctrl+L", "compare": "Ctrl+M", "copy": "Ctrl+C", "copy_python": "Ctrl+Shift+C", "export": "Ctrl+E",
    "table": "F2", "feed": "F3", "trust": "F4", "detail": "F5", "importance": "F6", "pause": "Ctrl+P",
    "seen": "Ctrl+Shift+A", "mute": "Ctrl+Shift+M", "faster": "Ctrl+]", "slower": "Ctrl+[",
    "bigger": "Ctrl++", "smaller": "Ctrl+-", "usual": "Ctrl+0",
    "profiles": "Ctrl+O", "record": "Ctrl+R", "settings": "Ctrl+,", "help": "F1", "quit": "Ctrl+Q",
}  # fmt: skip
"""Key of each action; unique, which a test checks."""


class ShortcutsDialog(QDialog):
    """Lists every shortcut."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keySheet")
        self.setWindowTitle(tr("shortcuts.title"))
        text = QTextBrowser()
        rows = "".join(
            f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{tr(f'action.{name}')}</td></tr>"
            for name, key in SHORTCUTS.items()
        )
        text.setHtml(
            f"<table cellspacing='4'>{rows}</table><p>{tr('shortcuts.cells')}</p><p>{tr('shortcuts.chart')}</p>"
        )
        text.setAccessibleName(tr("shortcuts.title"))
        buttons = close_button()
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addWidget(buttons)
        self.resize(520, 760)
