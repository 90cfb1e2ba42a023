"""The settings dialog."""

from collections.abc import Callable
from typing import Any

from glasstape import Model
from PyQt6.QtCore import QTime, pyqtSignal
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QTabWidget,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.state.preferences import LANGUAGES, PALETTES, PLACES, THEMES, Preferences
from glasstape_qt.theme.appearance import Appearance
from glasstape_qt.views.close_button import close_button
from glasstape_qt.views.focused_wheel import FocusedWheel

PAGES = {
    "appearance": ("language", "theme", "palette", "row_color", "zoom", "motion"),
    "detail": ("detail_place", "shared_scale", "clock"),
    "alerts": (
        "muted", "own_threshold", "threshold", "sound", "notify", "replays", "every", "quiet", "quiet_from",
        "quiet_until",
    ),
}  # fmt: skip


class SettingsDialog(QDialog):
    """Edits the preferences in place; every change applies at once."""

    applied = pyqtSignal()
    """A preference has changed."""

    def __init__(
        self,
        preferences: Preferences,
        appearance: Appearance,
        parent: QWidget | None = None,
        model: Model | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("settings")
        self._preferences, self._model = preferences, model
        self.threshold_note = QLabel()
        self.threshold_note.setObjectName("thresholdNote")
        self.threshold_note.setWordWrap(True)
        self._labels: dict[str, QLabel] = {}
        self.controls = self._create_controls()
        self._tabs = QTabWidget()
        for page, names in PAGES.items():
            self._tabs.addTab(self._page(names), page)
        buttons = close_button()
        buttons.rejected.connect(self.close)
        self._close = buttons.button(QDialogButtonBox.StandardButton.Close)
        layout = QVBoxLayout(self)
        layout.addWidget(self._tabs)
        layout.addWidget(buttons)
        appearance.changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Apply the language."""
        self.setWindowTitle(tr("settings.title"))
        if self._close is not None:
            self._close.setText(tr("settings.close"))
        for number, page in enumerate(PAGES):
            self._tabs.setTabText(number, tr(f"settings.page.{page}"))
        self._update_threshold_note()
        for name, label in self._labels.items():
            text = tr(f"settings.{name}")
            label.setText(text)
            self.controls[name].setAccessibleName(text)
        for name, values in _CHOICES.items():
            choice = self.controls[name]
            assert isinstance(choice, QComboBox)
            for number, value in enumerate(values):
                choice.setItemText(number, tr(f"settings.{name}_{value.replace('-', '_')}"))

    def _create_controls(self) -> dict[str, QWidget]:
        preferences, alerts = self._preferences, self._preferences.alerts
        controls: dict[str, QWidget] = {
            name: self._choice(values, getattr(preferences, name), self._setter(preferences, name))
            for name, values in _CHOICES.items()
        }
        controls["zoom"] = self._number(0.6, 3.0, 0.1, preferences.zoom, self._setter(preferences, "zoom"))
        for name in ("motion", "shared_scale"):
            controls[name] = self._check(getattr(preferences, name), self._setter(preferences, name))
        for name in ("muted", "sound", "notify", "replays"):
            controls[name] = self._check(getattr(alerts, name), self._setter(alerts, name))
        controls["every"] = self._number(1, 3600, 5, alerts.every, self._setter(alerts, "every"))
        controls["own_threshold"] = self._check(alerts.threshold is not None, self._set_own_threshold)
        percent = 100 * (alerts.threshold if alerts.threshold is not None else 0.5)
        controls["threshold"] = self._number(0, 100, 1, percent, self._set_threshold)
        controls["threshold"].setEnabled(alerts.threshold is not None)
        controls["quiet"] = self._check(alerts.quiet_from is not None, self._set_quiet)
        for name, hour in (("quiet_from", 22), ("quiet_until", 7)):
            edit = QTimeEdit(getattr(alerts, name) or QTime(hour, 0))
            edit.setDisplayFormat("HH:mm")
            edit.setEnabled(alerts.quiet_from is not None)
            edit.timeChanged.connect(lambda _: self._set_quiet(True))
            controls[name] = edit
        return controls

    def _page(self, names: tuple[str, ...]) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        for name in names:
            self._labels[name] = QLabel()
            self._labels[name].setBuddy(self.controls[name])
            self.controls[name].setObjectName(f"setting_{name}")
            form.addRow(self._labels[name], self.controls[name])
            if name == "threshold":
                form.addRow("", self.threshold_note)
        return page

    def _setter(self, owner: Any, name: str) -> Callable[[Any], None]:
        def change(value: Any) -> None:
            setattr(owner, name, value)
            self.applied.emit()

        return change

    def _choice(self, values: tuple[str, ...], current: str, change: Callable[[Any], None]) -> QComboBox:
        choice = QComboBox()
        choice.setMinimumContentsLength(34)
        choice.installEventFilter(FocusedWheel(choice))
        for value in values:
            choice.addItem(value, value)
        choice.setCurrentIndex(values.index(current))
        choice.currentIndexChanged.connect(lambda number: change(values[number]))
        return choice

    def _check(self, checked: bool, change: Callable[[Any], None]) -> QCheckBox:
        check = QCheckBox()
        check.setChecked(checked)
        check.toggled.connect(change)
        return check

    def _number(
        self, minimum: float, maximum: float, step: float, value: float, change: Callable[[Any], None]
    ) -> QDoubleSpinBox:
        number = QDoubleSpinBox()
        number.setRange(minimum, maximum)
        number.setSingleStep(step)
        number.setDecimals(1)
        number.setValue(value)
        number.valueChanged.connect(change)
        return number

    def _update_threshold_note(self) -> None:
        """Say which part of an own threshold has no effect: what the model abstains from never alerts."""
        limit = self._model.abstain_threshold if self._model is not None else 0.0
        own = self._preferences.alerts.threshold
        without_effect = own is not None and own < limit
        self.threshold_note.setText(
            tr("settings.below_abstain", limit=f"{limit:.1%}") if without_effect else ""
        )
        self.threshold_note.setVisible(without_effect)

    def _set_own_threshold(self, own: bool) -> None:
        spin = self.controls["threshold"]
        assert isinstance(spin, QDoubleSpinBox)
        spin.setEnabled(own)
        self._preferences.alerts.threshold = spin.value() / 100 if own else None
        self._update_threshold_note()
        self.applied.emit()

    def _set_threshold(self, percent: float) -> None:
        self._preferences.alerts.threshold = percent / 100
        self._update_threshold_note()
        self.applied.emit()

    def _set_quiet(self, quiet: bool) -> None:
        for name in ("quiet_from", "quiet_until"):
            edit = self.controls[name]
            assert isinstance(edit, QTimeEdit)
            edit.setEnabled(quiet)
            setattr(self._preferences.alerts, name, edit.time().toPyTime() if quiet else None)
        self.applied.emit()


_CHOICES = {
    "language": LANGUAGES, "theme": THEMES, "palette": PALETTES, "row_color": ("row", "strip", "bar"),
    "detail_place": PLACES, "clock": ("exchange", "local", "utc"),
}  # fmt: skip
