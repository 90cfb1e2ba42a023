"""The dialogs of the main window."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from glasstape import Model, __version__
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QMessageBox, QWidget

from glasstape_qt.i18n import tr
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.settings.profiles_dialog import ProfilesDialog
from glasstape_qt.views.settings.settings_dialog import SettingsDialog
from glasstape_qt.views.shortcuts import ShortcutsDialog


class WindowDialogs:
    """Opens the dialogs; unless noted, they do not block and are deleted when closed.

    Args:
        parent: the window.
        preferences: edited in place.
        appearance: applied to the dialogs.
        save: writes the preferences.
    """

    def __init__(
        self, parent: QWidget, preferences: Preferences, appearance: Appearance, save: Callable[[], None]
    ) -> None:
        self._parent, self._preferences = parent, preferences
        self._appearance, self._save = appearance, save

    def profiles(self, connect: Callable[[str], None]) -> ProfilesDialog:
        """Open the dialog of server profiles; `connect` receives the name of a profile to connect to."""
        dialog = ProfilesDialog(self._preferences, self._appearance, self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.connect_requested.connect(connect)
        dialog.finished.connect(lambda _: self._save())
        dialog.show()
        return dialog

    def settings(self, apply: Callable[[], None], model: Model | None) -> SettingsDialog:
        """Open the settings; `apply` is called after each change, `model` is the active one."""
        dialog = SettingsDialog(self._preferences, self._appearance, self._parent, model)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.applied.connect(apply)
        dialog.show()
        return dialog

    def shortcuts(self) -> ShortcutsDialog:
        """Open the list of keyboard shortcuts."""
        dialog = ShortcutsDialog(self._parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        return dialog

    def recording_path(self) -> Path | None:
        """Let the user select a file to record to; return None if canceled; blocks until closed."""
        default = f"{datetime.now():%Y-%m-%d-%H%M}.session.gz"
        name, _ = QFileDialog.getSaveFileName(
            self._parent, tr("action.record"), default, "Glasstape (*.session.gz)"
        )
        return Path(name) if name else None

    def about(self) -> None:
        """Show version and licenses; blocks until closed."""
        QMessageBox.about(self._parent, tr("action.about"), tr("about.text", version=__version__))
