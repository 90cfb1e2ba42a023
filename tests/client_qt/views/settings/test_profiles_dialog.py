import threading

import keyring
import keyring.backends.fail
import pytest
from glasstape_qt.state.preferences import Preferences, Profile
from glasstape_qt.token_store import keep_for_session, session_token
from glasstape_qt.views.settings.profiles_dialog import ProfilesDialog
from PyQt6.QtCore import QTimer


@pytest.fixture
def profiles(qtbot, preferences, appearance, memory_keyring):
    dialog = ProfilesDialog(preferences, appearance)
    qtbot.addWidget(dialog)
    return dialog


def test_the_token_of_a_new_server_is_stored_in_the_keyring_only(
    profiles, preferences, memory_keyring, qtbot
):
    profiles.add.click()
    profiles.name.setText("desk 7")
    profiles.address.setText("10.0.0.7:50551")
    profiles.tls.setChecked(True)
    profiles.token.setText("s3cret")
    with qtbot.waitSignal(profiles.connect_requested) as requested:
        profiles.connect_button.click()
    assert requested.args == ["desk 7"]
    stored = preferences.profiles[-1]
    assert (stored.name, stored.address, stored.tls, stored.token) == ("desk 7", "10.0.0.7:50551", True, True)
    assert memory_keyring.tokens == {"desk 7": "s3cret"}
    assert "s3cret" not in preferences.model_dump_json()


@pytest.mark.parametrize(
    ("name", "address", "error"),
    [("x", "no port", "address"), ("", "h:1", "name"), ("demo", "h:1", "taken"), ("x", "", "host:port")],
)
def test_an_invalid_profile_is_rejected_and_nothing_is_stored(profiles, preferences, name, address, error):
    before = preferences.model_dump_json()
    profiles.name.setText(name)
    profiles.address.setText(address)
    assert not profiles.save_profile()
    assert error in profiles.error.text()
    assert preferences.model_dump_json() == before


def test_a_failing_keyring_is_reported(profiles):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    profiles.token.setText("x")
    assert not profiles.save_profile()
    assert "No recommended backend" in profiles.error.text()


def test_without_a_keyring_a_token_is_kept_for_this_run(profiles, preferences):
    keyring.set_keyring(keyring.backends.fail.Keyring())
    profiles.token.setText("x")
    profiles.session_only.setChecked(True)
    assert profiles.save_profile()
    assert preferences.profiles[0].token
    assert session_token("local") == "x"
    keep_for_session("local", "")


def test_the_window_stays_responsive_while_the_keyring_asks(profiles, memory_keyring, monkeypatch):
    painted = threading.Event()
    monkeypatch.setattr(memory_keyring, "set_password", lambda *_: painted.wait(10))
    QTimer.singleShot(0, lambda: (profiles.close(), painted.set()))
    profiles.show()
    profiles.token.setText("x")
    assert profiles.save_profile()
    assert painted.is_set()
    assert profiles.isVisible()


def test_the_last_profile_cannot_be_removed(profiles, preferences):
    profiles.remove.click()
    profiles.remove.click()
    assert [profile.name for profile in preferences.profiles] == ["demo"]
    assert "cannot be removed" in profiles.error.text()


def test_removing_a_profile_shows_the_next_one(profiles, preferences, memory_keyring):
    for number, name in enumerate(("b", "c")):
        profiles.add.click()
        profiles.name.setText(name)
        profiles.address.setText(f"host{number}:1")
        profiles.token.setText(f"token-of-{name}")
        assert profiles.save_profile()
    profiles.list.setCurrentRow(2)
    profiles.remove.click()
    assert profiles.name.text() == "c"
    assert memory_keyring.tokens == {"c": "token-of-c"}
    assert profiles.save_profile()
    assert [profile.name for profile in preferences.profiles] == ["local", "demo", "c"]


def test_a_token_moves_with_its_profiles_name_and_can_be_removed(profiles, preferences, memory_keyring):
    profiles.name.setText("first")
    profiles.token.setText("t1")
    assert profiles.save_profile()
    profiles.name.setText("second")
    assert profiles.save_profile()
    assert memory_keyring.tokens == {"second": "t1"}
    profiles.forget_token.setChecked(True)
    assert profiles.save_profile()
    assert memory_keyring.tokens == {}
    assert not preferences.profiles[0].token


def test_the_default_profiles():
    assert [profile.name for profile in Preferences().profiles] == ["local", "demo"]
    assert Profile(name="x", session="demo").speed == 1.0
