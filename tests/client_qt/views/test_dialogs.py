import logging
import sys
import threading
from datetime import time

import pytest
from glasstape_qt import secrets
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.views.crash import CrashWatch
from glasstape_qt.views.profiles import ProfilesDialog
from glasstape_qt.views.settings import SettingsDialog
from PyQt6.QtCore import QTime
from PyQt6.QtGui import QGuiApplication


@pytest.fixture
def settings(qtbot, preferences, appearance):
    dialog = SettingsDialog(preferences, appearance)
    qtbot.addWidget(dialog)
    return dialog


def test_every_change_applies_at_once(settings, preferences, qtbot):
    with qtbot.waitSignal(settings.applied):
        settings.controls["palette"].setCurrentIndex(3)
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


def test_choices_speak_the_language_that_is_chosen(settings, preferences, appearance, qtbot):
    settings.applied.connect(lambda: appearance.apply(preferences))
    settings.controls["language"].setCurrentIndex(2)
    assert settings.windowTitle() == "설정"
    assert settings.controls["theme"].itemText(2) == "어둡게"


@pytest.fixture
def ring(monkeypatch):
    kept = {}
    monkeypatch.setattr(secrets.keyring, "get_password", lambda service, name: kept.get(name))
    monkeypatch.setattr(
        secrets.keyring, "set_password", lambda service, name, token: kept.update({name: token})
    )
    monkeypatch.setattr(secrets.keyring, "delete_password", lambda service, name: kept.pop(name))
    return kept


@pytest.fixture
def profiles(qtbot, preferences, appearance, ring):
    dialog = ProfilesDialog(preferences, appearance)
    qtbot.addWidget(dialog)
    return dialog


def test_a_new_server_with_a_token_is_kept_and_the_token_only_in_the_key_ring(
    profiles, preferences, ring, qtbot
):
    profiles.add.click()
    profiles.name.setText("desk 7")
    profiles.address.setText("10.0.0.7:50551")
    profiles.tls.setChecked(True)
    profiles.token.setText("s3cret")
    with qtbot.waitSignal(profiles.chosen) as chosen:
        profiles.connect_button.click()
    assert chosen.args == ["desk 7"]
    kept = preferences.profiles[-1]
    assert (kept.name, kept.address, kept.tls, kept.token) == ("desk 7", "10.0.0.7:50551", True, True)
    assert ring == {"desk 7": "s3cret"}
    assert "s3cret" not in preferences.model_dump_json()


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [("x", "no port", "address"), ("", "h:1", "name"), ("demo", "h:1", "taken"), ("x", "", "host:port")],
)
def test_a_broken_rule_is_said_and_nothing_is_kept(profiles, preferences, name, address, said):
    before = preferences.model_dump_json()
    profiles.name.setText(name)
    profiles.address.setText(address)
    assert not profiles.keep()
    assert said in profiles.trouble.text()
    assert preferences.model_dump_json() == before


def test_a_key_ring_that_fails_is_a_sentence(profiles, monkeypatch):
    def fail(*_):
        raise secrets.keyring.errors.NoKeyringError("no backend")

    monkeypatch.setattr(secrets.keyring, "set_password", fail)
    profiles.token.setText("x")
    assert not profiles.keep()
    assert "no backend" in profiles.trouble.text()


def test_the_last_profile_cannot_be_removed(profiles, preferences):
    profiles.remove.click()
    profiles.remove.click()
    assert [profile.name for profile in preferences.profiles] == ["demo"]
    assert "cannot be removed" in profiles.trouble.text()


def test_removing_one_shows_the_next_and_saving_that_changes_nothing_else(profiles, preferences, ring):
    for number, name in enumerate(("b", "c")):
        profiles.add.click()
        profiles.name.setText(name)
        profiles.address.setText(f"host{number}:1")
        profiles.token.setText(f"token of {name}".replace(" ", "-"))
        assert profiles.keep()
    profiles.list.setCurrentRow(2)
    profiles.remove.click()
    assert profiles.name.text() == "c"
    assert ring == {"c": "token-of-c"}
    assert profiles.keep()
    assert [profile.name for profile in preferences.profiles] == ["local", "demo", "c"]


def test_a_token_moves_with_its_profiles_name_and_can_be_forgotten(profiles, preferences, ring):
    profiles.name.setText("first")
    profiles.token.setText("t1")
    assert profiles.keep()
    profiles.name.setText("second")
    assert profiles.keep()
    assert ring == {"second": "t1"}
    profiles.forget_token.setChecked(True)
    assert profiles.keep()
    assert ring == {}
    assert not preferences.profiles[0].token


def test_secrets_are_written_read_and_deleted(ring):
    secrets.write("a", "t")
    assert secrets.read("a") == "t"
    secrets.write("a", "")
    assert secrets.read("a") is None
    secrets.write("a", "")


@pytest.fixture
def crashes(qtbot, tmp_path):
    watch = CrashWatch(tmp_path / "crash.log")
    yield watch
    watch.close()
    if watch.dialog is not None:
        watch.dialog.close()
        watch.dialog.deleteLater()


def fail_here():
    raise ZeroDivisionError("of ours")


def test_a_mistake_is_shown_with_the_log_written_down_and_shown_once(crashes, tmp_path, qtbot, capsys):
    logging.getLogger("glasstape").warning("what came before")
    for _ in range(2):
        try:
            fail_here()
        except ZeroDivisionError:
            crashes.caught(*sys.exc_info())
    first = crashes.dialog
    assert "ZeroDivisionError: of ours" in first.report
    assert "what came before" in first.report
    assert (tmp_path / "crash.log").read_text().count("ZeroDivisionError: of ours") == 2
    first._copy()
    assert "of ours" in QGuiApplication.clipboard().text()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_mistake_in_a_thread_is_shown_too(crashes, qtbot, capsys):
    thread = threading.Thread(target=fail_here)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: crashes.dialog is not None, timeout=2000)
    assert "fail_here" in crashes.dialog.report


def test_the_log_needs_no_folder(qtbot, tmp_path):
    (tmp_path / "file").write_text("")
    watch = CrashWatch(tmp_path / "file" / "crash.log")
    watch.close()


def test_profiles_of_the_usual_settings():
    assert [profile.name for profile in Preferences().profiles] == ["local", "demo"]
    assert Profile(name="x", session="demo").speed == 1.0
