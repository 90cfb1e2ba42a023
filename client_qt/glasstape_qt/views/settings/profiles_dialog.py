"""The dialog of server profiles."""

from pathlib import Path

from pydantic import ValidationError
from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.token_store import TokenStoreError, keep_for_session, read_token, write_token
from glasstape_qt.views.background_call import call_in_background


class ProfilesDialog(QDialog):
    """Edits the profiles in place and connects to one."""

    connect_requested = pyqtSignal(str)
    """Name of the profile to connect to."""

    def __init__(
        self, preferences: Preferences, appearance: Appearance, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("profiles")
        self._preferences = preferences
        self.list = QListWidget()
        self.list.setObjectName("profileList")
        self.name, self.address, self.roots = QLineEdit(), QLineEdit(), QLineEdit()
        self.token, self.session = QLineEdit(), QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.tls, self.forget_token, self.speed = QCheckBox(), QCheckBox(), QDoubleSpinBox()
        self.session_only = QCheckBox()
        self.speed.setRange(0.01, 100)
        self.browse, self.save, self.add = QPushButton(), QPushButton(), QPushButton()
        self.cancel = QPushButton()
        self.remove, self.connect_button = QPushButton(), QPushButton()
        self.connect_button.setDefault(True)
        self.error = QLabel()
        self.error.setObjectName("profileError")
        self.error.setWordWrap(True)
        self._labels: dict[str, QLabel] = {}
        self._build()
        for profile in preferences.profiles:
            self.list.addItem(profile.name)
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(self._index(preferences.current().name))
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply the language."""
        self.setWindowTitle(tr("profiles.title"))
        self.list.setAccessibleName(tr("profiles.title"))
        for name, label in self._labels.items():
            label.setText(tr(f"profiles.{name}"))
        for name, field in self._fields().items():
            field.setAccessibleName(tr(f"profiles.{name}"))
        self.address.setPlaceholderText("localhost:50551")
        self.token.setPlaceholderText(tr("profiles.token_hint"))
        for button, key in (
            (self.browse, "browse"), (self.save, "save"), (self.add, "add"), (self.remove, "remove"),
            (self.connect_button, "connect"), (self.cancel, "close"),
        ):  # fmt: skip
            button.setText(tr(f"profiles.{key}"))

    def save_profile(self) -> bool:
        """Store the edited profile; on invalid values show the error and return False."""
        number = self.list.currentRow()
        if number < 0:
            return False
        previous = self._preferences.profiles[number]
        name = self.name.text().strip()
        if name in {p.name for n, p in enumerate(self._preferences.profiles) if n != number}:
            self.error.setText(tr("profiles.name_taken", name=name))
            return False
        address, session = self.address.text().strip(), self.session.text().strip()
        if not (address or session):
            self.error.setText(tr("profiles.no_address"))
            return False
        try:
            profile = Profile(
                name=name, address=address, tls=self.tls.isChecked(),
                root_certificates=self.roots.text().strip(), token=self._has_token(previous),
                token_file="" if self._replaces_token() else previous.token_file,
                session=session, speed=self.speed.value(),
            )  # fmt: skip
            self._store_token(previous, name)
        except (ValidationError, OSError) as error:
            self.error.setText(_first_message(error))
            return False
        if self._preferences.profile == previous.name:
            self._preferences.profile = name
        self._preferences.profiles[number] = profile
        item = self.list.item(number)
        if item is not None:
            item.setText(name)
        self.token.clear()
        self.error.setText(tr("profiles.saved"))
        return True

    def _has_token(self, previous: Profile) -> bool:
        return bool(self.token.text()) or (previous.token and not self.forget_token.isChecked())

    def _replaces_token(self) -> bool:
        return bool(self.token.text()) or self.forget_token.isChecked()

    def _store_token(self, previous: Profile, name: str) -> None:
        """Store a new token, move the old one to the new name, or delete it.

        Raises:
            OSError: the keyring cannot be used, or does not return.
        """
        if self.forget_token.isChecked():
            self._write(previous.name, "")
            return
        entered, renamed = self.token.text(), previous.token and name != previous.name
        if entered and self.session_only.isChecked():
            keep_for_session(name, entered)
            return
        token = entered or (self._read(previous.name) if renamed else "")
        if renamed:
            self._write(previous.name, "")
        if token:
            self._write(name, token)

    def _read(self, name: str) -> str:
        return call_in_background(lambda: read_token(name) or "", self)

    def _write(self, name: str, token: str) -> None:
        call_in_background(lambda: write_token(name, token), self)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Stay open while the keyring is used."""
        if event is not None and not self.isEnabled():
            event.ignore()
            return
        super().closeEvent(event)

    def _build(self) -> None:
        form = QFormLayout()
        for name, field in self._fields().items():
            self._labels[name] = QLabel()
            self._labels[name].setBuddy(field)
            field.setObjectName(f"profile_{name}")
            form.addRow(self._labels[name], field)
        form.addRow("", self.browse)
        right = QVBoxLayout()
        right.addLayout(form)
        right.addWidget(self.error)
        right.addStretch(1)
        left = QVBoxLayout()
        left.addWidget(self.list, 1)
        for button in (self.add, self.remove):
            left.addWidget(button)
        columns = QHBoxLayout()
        columns.addLayout(left, 1)
        columns.addLayout(right, 2)
        buttons = QDialogButtonBox()
        buttons.addButton(self.connect_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(self.save, QDialogButtonBox.ButtonRole.ApplyRole)
        buttons.addButton(self.cancel, QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addLayout(columns)
        layout.addWidget(buttons)
        self.browse.clicked.connect(self._browse)
        self.save.clicked.connect(self.save_profile)
        self.add.clicked.connect(self._add)
        self.remove.clicked.connect(self._remove)
        self.connect_button.clicked.connect(self._connect)
        self.resize(640, 420)

    def _fields(self) -> dict[str, QWidget]:
        return {
            "name": self.name, "address": self.address, "tls": self.tls, "roots": self.roots, "token": self.token,
            "session_only": self.session_only, "forget_token": self.forget_token,
            "session": self.session, "speed": self.speed,
        }  # fmt: skip

    def _index(self, name: str) -> int:
        return next((n for n, profile in enumerate(self._preferences.profiles) if profile.name == name), 0)

    def _show(self, number: int) -> None:
        if not 0 <= number < len(self._preferences.profiles):
            return
        profile = self._preferences.profiles[number]
        self.name.setText(profile.name)
        self.address.setText(profile.address)
        self.tls.setChecked(profile.tls)
        self.roots.setText(profile.root_certificates)
        self.session.setText(profile.session)
        self.speed.setValue(profile.speed)
        self.token.clear()
        self.session_only.setChecked(False)
        self.forget_token.setChecked(False)
        self.forget_token.setEnabled(profile.token or bool(profile.token_file))
        self.error.clear()

    def _browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, tr("profiles.session"))
        if name:
            self.session.setText(str(Path(name)))

    def _add(self) -> None:
        taken = {profile.name for profile in self._preferences.profiles}
        number = next(n for n in range(1, len(taken) + 2) if f"server {n}" not in taken)
        self._preferences.profiles.append(Profile(name=f"server {number}", address="localhost:50551"))
        self.list.addItem(f"server {number}")
        self.list.setCurrentRow(self.list.count() - 1)
        self.name.setFocus()
        self.name.selectAll()

    def _remove(self) -> None:
        number = self.list.currentRow()
        if len(self._preferences.profiles) < 2 or number < 0:
            self.error.setText(tr("profiles.last_profile"))
            return
        removed = self._preferences.profiles.pop(number)
        try:
            if removed.token:
                self._write(removed.name, "")
        except OSError as error:
            self.error.setText(tr("profiles.token_left", error=error))
        self.list.blockSignals(True)
        self.list.takeItem(number)
        self.list.blockSignals(False)
        self._show(self.list.currentRow())

    def _connect(self) -> None:
        if self.save_profile():
            self.connect_requested.emit(self.name.text().strip())
            self.close()


def _first_message(error: Exception) -> str:
    if isinstance(error, TokenStoreError | TimeoutError):
        return tr("profiles.keyring_failed", error=error)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
