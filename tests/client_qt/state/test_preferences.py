import json
import os
import sys

import pytest
from glasstape_qt.state.preferences import AlertPreferences, Preferences, Profile, load, save
from pydantic import ValidationError


def test_preferences_are_restored(tmp_path):
    path = tmp_path / "deep" / "desktop.json"
    preferences = Preferences(
        language="ko", palette="okabe-ito", zoom=1.3, groups={"반도체": ["005930", "000660"]},
        profiles=[Profile(name="desk", address="10.0.0.5:50551", tls=True, token=True)], profile="desk",
        alerts=AlertPreferences(threshold=0.5, quiet_from="22:00", quiet_until="07:00"),
    )  # fmt: skip
    save(path, preferences)
    assert load(path) == (preferences, "")
    assert not list(path.parent.glob("*.part"))


def test_a_first_start_has_the_default_settings(tmp_path):
    assert load(tmp_path / "none.json") == (Preferences(), "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "schema_number"),
        ('{"schema_number": 99}', "schema_number must be 1, is 99"),
        ('{"zoom": 50}', "zoom"),
        ('{"profiles": [{"name": "x", "address": "no port"}]}', "profiles.0.address"),
        ('{"profiles": "none"}', "profiles"),
        ('{"palette": "pink"}', "palette"),
        ("\udcff", ""),
    ],
)
def test_a_damaged_file_is_kept_and_reported(tmp_path, text, reason):
    path = tmp_path / "desktop.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    preferences, error = load(path)
    assert preferences == Preferences()
    assert reason in error
    kept = tmp_path / "desktop.damaged-1.json"
    assert kept.read_bytes() == before
    assert str(kept) in error


def test_a_wrong_value_costs_nothing_but_itself(tmp_path):
    path = tmp_path / "desktop.json"
    stored = Preferences(
        theme="dark", groups={"chips": ["005930"]}, profiles=[Profile(name="desk", address="10.0.0.5:1")]
    ).model_dump(mode="json")
    stored["zoom"], stored["profiles"][0]["speed"], stored["alerts"]["every"] = 99, -1, "often"
    path.write_text(json.dumps(stored))
    preferences, error = load(path)
    assert preferences.groups == {"chips": ["005930"]}
    assert preferences.theme == "dark"
    assert [profile.address for profile in preferences.profiles] == ["10.0.0.5:1"]
    assert preferences.zoom == 1.0
    assert all(name in error for name in ("zoom", "profiles.0.speed", "alerts.every"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_saved_by_an_editor_of_windows_is_read(tmp_path, encoding):
    path = tmp_path / "desktop.json"
    path.write_text(Preferences(groups={"반도체": ["005930"]}).model_dump_json(), encoding=encoding)
    assert load(path) == (Preferences(groups={"반도체": ["005930"]}), "")


def test_unknown_settings_are_ignored(tmp_path):
    path = tmp_path / "desktop.json"
    path.write_text(json.dumps({"schema_number": 1, "theme": "dark", "hologram": True}))
    assert load(path)[0].theme == "dark"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "desktop.json"
    save(path, Preferences())
    before = path.read_text()
    tmp_path.chmod(0o500)
    with pytest.raises(OSError):
        save(path, Preferences(theme="dark"))
    tmp_path.chmod(0o700)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "address",
    ["localhost", "host:", ":50551", "host:99999", "host:0", "a b:50551", "::1:50551", "http://h:1"],
)
def test_an_address_is_host_and_port(address):
    with pytest.raises(ValidationError, match="must be host:port"):
        Profile(name="x", address=address)


def test_an_address_is_stored_in_the_form_that_is_printed():
    stored = [Profile(name="x", address=text).address for text in ("dns:///h:1", "[::1]:050", "unix:/run/x")]
    assert stored == ["h:1", "[::1]:50", "unix:/run/x"]


def test_a_deleted_profile_falls_back_to_the_first():
    preferences = Preferences(profiles=[Profile(name="a", address="h:1")], profile="gone")
    assert preferences.current().name == "a"
