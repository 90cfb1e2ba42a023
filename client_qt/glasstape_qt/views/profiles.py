"""Servers and recorded sessions to choose from."""

from pathlib import Path

from pydantic import ValidationError
from PyQt6.QtCore import pyqtSignal
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

from glasstape_qt import secrets
from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.preferences import Preferences, Profile


class ProfilesDialog(QDialog):
    """Edit profiles; connect to one."""

    chosen = pyqtSignal(str)
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
        self.speed.setRange(0.01, 100)
        self.browse, self.save, self.add = QPushButton(), QPushButton(), QPushButton()
        self.cancel = QPushButton()
        self.remove, self.connect_button = QPushButton(), QPushButton()
        self.connect_button.setDefault(True)
        self.trouble = QLabel()
        self.trouble.setObjectName("profileTrouble")
        self.trouble.setWordWrap(True)
        self._labels: dict[str, QLabel] = {}
        self._build()
        for profile in preferences.profiles:
            self.list.addItem(profile.name)
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(self._index(preferences.current().name))
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Another look or language."""
        self.setWindowTitle(say("profiles.title"))
        self.list.setAccessibleName(say("profiles.title"))
        for name, label in self._labels.items():
            label.setText(say(f"profiles.{name}"))
        for name, field in self._fields().items():
            field.setAccessibleName(say(f"profiles.{name}"))
        self.address.setPlaceholderText("localhost:50551")
        self.token.setPlaceholderText(say("profiles.token_kept"))
        for button, key in (
            (self.browse, "browse"), (self.save, "save"), (self.add, "add"), (self.remove, "remove"),
            (self.connect_button, "connect"), (self.cancel, "close"),
        ):  # fmt: skip
            button.setText(say(f"profiles.{key}"))

    def keep(self) -> bool:
        """Take what stands in the fields; False if a rule is broken, which is then said."""
        number = self.list.currentRow()
        if number < 0:
            return False
        known = self._preferences.profiles[number]
        name = self.name.text().strip()
        if name in {p.name for n, p in enumerate(self._preferences.profiles) if n != number}:
            self.trouble.setText(say("profiles.name_taken", name=name))
            return False
        try:
            made = Profile(
                name=name, address=self.address.text().strip(), tls=self.tls.isChecked(),
                root_certificates=self.roots.text().strip(), token=self._has_token(known),
                session=self.session.text().strip(), speed=self.speed.value(),
            )  # fmt: skip
            if not (made.address or made.session):
                raise ValueError(say("profiles.nothing"))
            self._keep_token(known, name)
        except (ValidationError, ValueError, OSError) as error:
            self.trouble.setText(_rule(error))
            return False
        if self._preferences.profile == known.name:
            self._preferences.profile = name
        self._preferences.profiles[number] = made
        item = self.list.item(number)
        if item is not None:
            item.setText(name)
        self.token.clear()
        self.trouble.setText(say("profiles.kept"))
        return True

    def _has_token(self, known: Profile) -> bool:
        return bool(self.token.text()) or (known.token and not self.forget_token.isChecked())

    def _keep_token(self, known: Profile, name: str) -> None:
        """A new token, or the old one under the new name, or none any more."""
        if self.forget_token.isChecked():
            secrets.write(known.name, "")
            return
        token = self.token.text() or (
            secrets.read(known.name) or "" if known.token and name != known.name else ""
        )
        if name != known.name and known.token:
            secrets.write(known.name, "")
        if token:
            secrets.write(name, token)

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
        right.addWidget(self.trouble)
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
        self.save.clicked.connect(self.keep)
        self.add.clicked.connect(self._add)
        self.remove.clicked.connect(self._remove)
        self.connect_button.clicked.connect(self._connect)
        self.resize(640, 420)

    def _fields(self) -> dict[str, QWidget]:
        return {
            "name": self.name, "address": self.address, "tls": self.tls, "roots": self.roots, "token": self.token,
            "forget_token": self.forget_token,
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
        self.forget_token.setChecked(False)
        self.forget_token.setEnabled(profile.token)
        self.trouble.clear()

    def _browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, say("profiles.session"))
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
            self.trouble.setText(say("profiles.last"))
            return
        gone = self._preferences.profiles.pop(number)
        try:
            secrets.write(gone.name, "")
        except OSError as error:
            self.trouble.setText(say("profiles.token_left", error=error))
        self.list.blockSignals(True)
        self.list.takeItem(number)
        self.list.blockSignals(False)
        self._show(self.list.currentRow())

    def _connect(self) -> None:
        if self.keep():
            self.chosen.emit(self.name.text().strip())
            self.close()


def _rule(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
