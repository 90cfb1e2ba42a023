"""Settings, applied as they are made."""

from collections.abc import Callable
from typing import Any

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

from glasstape_qt.i18n import say
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.preferences import LANGUAGES, PALETTES, PLACES, THEMES, Preferences
from glasstape_qt.views.buttons import close_button

PAGES = {
    "look": ("language", "theme", "palette", "zoom", "motion"),
    "detail": ("detail_place", "shared_scale", "clock"),
    "alerts": (
        "muted", "own_threshold", "threshold", "sound", "notify", "replays", "every", "quiet", "quiet_from",
        "quiet_until",
    ),
}  # fmt: skip


class SettingsDialog(QDialog):
    """Every change shows at once; there is nothing to confirm."""

    applied = pyqtSignal()

    def __init__(
        self, preferences: Preferences, appearance: Appearance, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("settings")
        self._preferences = preferences
        self._labels: dict[str, QLabel] = {}
        self.controls = self._make_controls()
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
        """Another look or language."""
        self.setWindowTitle(say("settings.title"))
        if self._close is not None:
            self._close.setText(say("settings.close"))
        for number, page in enumerate(PAGES):
            self._tabs.setTabText(number, say(f"settings.page.{page}"))
        for name, label in self._labels.items():
            text = say(f"settings.{name}")
            label.setText(text)
            self.controls[name].setAccessibleName(text)
        for name, values in _CHOICES.items():
            choice = self.controls[name]
            assert isinstance(choice, QComboBox)
            for number, value in enumerate(values):
                choice.setItemText(number, say(f"settings.{name}_{value.replace('-', '_')}"))

    def _make_controls(self) -> dict[str, QWidget]:
        kept, alerts = self._preferences, self._preferences.alerts
        made: dict[str, QWidget] = {
            name: self._choice(values, getattr(kept, name), self._setter(kept, name))
            for name, values in _CHOICES.items()
        }
        made["zoom"] = self._number(0.6, 2.5, 0.1, kept.zoom, self._setter(kept, "zoom"))
        for name in ("motion", "shared_scale"):
            made[name] = self._check(getattr(kept, name), self._setter(kept, name))
        for name in ("muted", "sound", "notify", "replays"):
            made[name] = self._check(getattr(alerts, name), self._setter(alerts, name))
        made["every"] = self._number(1, 3600, 5, alerts.every, self._setter(alerts, "every"))
        made["own_threshold"] = self._check(alerts.threshold is not None, self._set_own_threshold)
        percent = 100 * (alerts.threshold if alerts.threshold is not None else 0.5)
        made["threshold"] = self._number(0, 100, 1, percent, self._set_threshold)
        made["threshold"].setEnabled(alerts.threshold is not None)
        made["quiet"] = self._check(alerts.quiet_from is not None, self._set_quiet)
        for name, hour in (("quiet_from", 22), ("quiet_until", 7)):
            edit = QTimeEdit(getattr(alerts, name) or QTime(hour, 0))
            edit.setDisplayFormat("HH:mm")
            edit.setEnabled(alerts.quiet_from is not None)
            edit.timeChanged.connect(lambda _: self._set_quiet(True))
            made[name] = edit
        return made

    def _page(self, names: tuple[str, ...]) -> QWidget:
        page = QWidget()
        form = QFormLayout(page)
        for name in names:
            self._labels[name] = QLabel()
            self._labels[name].setBuddy(self.controls[name])
            self.controls[name].setObjectName(f"setting_{name}")
            form.addRow(self._labels[name], self.controls[name])
        return page

    def _setter(self, owner: Any, name: str) -> Callable[[Any], None]:
        def change(value: Any) -> None:
            setattr(owner, name, value)
            self.applied.emit()

        return change

    def _choice(self, values: tuple[str, ...], now: str, change: Callable[[Any], None]) -> QComboBox:
        choice = QComboBox()
        choice.setMinimumContentsLength(34)
        for value in values:
            choice.addItem(value, value)
        choice.setCurrentIndex(values.index(now))
        choice.currentIndexChanged.connect(lambda number: change(values[number]))
        return choice

    def _check(self, now: bool, change: Callable[[Any], None]) -> QCheckBox:
        check = QCheckBox()
        check.setChecked(now)
        check.toggled.connect(change)
        return check

    def _number(
        self, least: float, most: float, step: float, now: float, change: Callable[[Any], None]
    ) -> QDoubleSpinBox:
        number = QDoubleSpinBox()
        number.setRange(least, most)
        number.setSingleStep(step)
        number.setDecimals(1)
        number.setValue(now)
        number.valueChanged.connect(change)
        return number

    def _set_own_threshold(self, own: bool) -> None:
        spin = self.controls["threshold"]
        assert isinstance(spin, QDoubleSpinBox)
        spin.setEnabled(own)
        self._preferences.alerts.threshold = spin.value() / 100 if own else None
        self.applied.emit()

    def _set_threshold(self, percent: float) -> None:
        self._preferences.alerts.threshold = percent / 100
        self.applied.emit()

    def _set_quiet(self, quiet: bool) -> None:
        for name in ("quiet_from", "quiet_until"):
            edit = self.controls[name]
            assert isinstance(edit, QTimeEdit)
            edit.setEnabled(quiet)
            setattr(self._preferences.alerts, name, edit.time().toPyTime() if quiet else None)
        self.applied.emit()


_CHOICES = {
    "language": LANGUAGES, "theme": THEMES, "palette": PALETTES, "detail_place": PLACES,
    "clock": ("exchange", "local", "utc"),
}  # fmt: skip
