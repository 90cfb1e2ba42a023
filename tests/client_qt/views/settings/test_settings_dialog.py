from dataclasses import replace
from datetime import time

import pytest
from glasstape.testing import MODEL
from glasstape_qt.views.settings.settings_dialog import SettingsDialog
from PyQt6.QtCore import QTime


@pytest.fixture
def settings(qtbot, preferences, appearance):
    dialog = SettingsDialog(preferences, appearance)
    qtbot.addWidget(dialog)
    return dialog


def test_every_change_applies_at_once(settings, preferences, qtbot):
    with qtbot.waitSignal(settings.applied):
        settings.controls["palette"].setCurrentIndex(4)
    assert preferences.palette == "okabe-ito"
    settings.controls["zoom"].setValue(1.5)
    assert preferences.zoom == 1.5
    settings.controls["own_threshold"].setChecked(True)
    settings.controls["threshold"].setValue(47)
    assert preferences.alerts.threshold == pytest.approx(0.47)
    settings.controls["own_threshold"].setChecked(False)
    assert preferences.alerts.threshold is None
    settings.controls["quiet"].setChecked(True)
    settings.controls["quiet_from"].setTime(QTime(21, 30))
    assert (preferences.alerts.quiet_from, preferences.alerts.quiet_until) == (time(21, 30), time(7))
    settings.controls["quiet"].setChecked(False)
    assert preferences.alerts.quiet_from is None


def test_texts_change_with_the_selected_language(settings, preferences, appearance, qtbot):
    settings.applied.connect(lambda: appearance.apply(preferences))
    settings.controls["language"].setCurrentIndex(2)
    assert settings.windowTitle() == "설정"
    assert settings.controls["theme"].itemText(2) == "어둡게"


def test_an_own_threshold_that_cannot_alert_is_said(qtbot, preferences, appearance):
    dialog = SettingsDialog(preferences, appearance, model=replace(MODEL, abstain_threshold=0.45))
    qtbot.addWidget(dialog)
    assert dialog.threshold_note.isHidden()
    dialog.controls["own_threshold"].setChecked(True)
    dialog.controls["threshold"].setValue(36)
    assert not dialog.threshold_note.isHidden()
    assert "abstains below 45.0%" in dialog.threshold_note.text()
    dialog.controls["threshold"].setValue(46)
    assert dialog.threshold_note.isHidden()
