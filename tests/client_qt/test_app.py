"""Rows of each profile are saved and restored."""

import pytest
from glasstape_qt.app import DesktopApplication, select_connection
from glasstape_qt.state import snapshot
from glasstape_qt.state.preferences import Preferences, Profile, save
from glasstape_qt.state.signal_store import SignalStore
from stores import UP, apply, batch, confidence, opened

A, B = Profile(name="a", address="127.0.0.1:1"), Profile(name="b", address="127.0.0.1:2")


@pytest.fixture
def desktop(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path))
    save(tmp_path / "desktop.json", Preferences(profiles=[A, B], profile="a", language="en"))
    desktop = DesktopApplication()
    qtbot.addWidget(desktop.components.window)
    yield desktop
    desktop.components.window.close()


def saved_symbols(folder, profile):
    store = SignalStore()
    snapshot.load(snapshot.path_of(folder, profile), store)
    return set(store.rows)


def test_each_profile_saves_its_own_rows_and_restores_them_as_old(desktop, tmp_path):
    store, window = desktop.components.store, desktop.components.window
    desktop.connect(A)
    apply(store, opened(), batch(confidence("ONLY-A", UP)))
    window.connect_to("b")
    assert store.rows == {}
    apply(store, opened(), batch(confidence("ONLY-B", UP)))
    window.connect_to("a")
    assert (saved_symbols(tmp_path, A), saved_symbols(tmp_path, B)) == ({"ONLY-A"}, {"ONLY-B"})
    assert set(store.rows) == {"ONLY-A"}
    assert store.rows["ONLY-A"].old
    assert window.watch.model.symbols == ["ONLY-A"]


def test_old_rows_are_not_saved_again(desktop, tmp_path):
    desktop.connect(A)
    store = desktop.components.store
    store.restore_rows([confidence("OLD", UP)])
    apply(store, opened())
    desktop.save_rows()
    assert saved_symbols(tmp_path, A) == set()
    apply(store, batch(confidence("NEW", UP)))
    desktop.save_rows()
    assert saved_symbols(tmp_path, A) == {"OLD", "NEW"}


def test_a_damaged_snapshot_is_reported(desktop, tmp_path):
    snapshot.path_of(tmp_path, A).write_bytes(b"\x1f\x8bnonsense")
    desktop.connect(A)
    assert "could not be read" in desktop.components.window.notice.text()


def select(preferences, connection, token_file="", once=False):
    return select_connection(preferences, connection, token_file, once=once)


def test_a_plain_start_uses_what_was_used_last(tmp_path):
    preferences, given = (
        Preferences(profiles=[A, B], profile="a"),
        Profile(name="h:1", address="h:1", tls=True),
    )
    assert select(preferences, given) == given
    assert select(preferences, None) == given
    assert select(preferences, "b") == B
    assert select(preferences, None) == B
    session = Profile(name="s", session="/s.session.gz")
    assert select(preferences, session, once=True) == session
    assert select(preferences, None) == B
    assert preferences.profiles == [A, B]
    with_token = select(preferences, "a", "/token")
    assert (with_token.address, with_token.token_file) == (A.address, "/token")
    assert select(preferences, None) == with_token
    with pytest.raises(ValueError, match="--profile: must be one of a, b, is 'c'"):
        select(preferences, "c")


def test_connecting_in_the_window_replaces_the_connection_of_the_command_line(desktop):
    preferences = desktop.components.preferences
    select(preferences, Profile(name="h:1", address="h:1"))
    desktop.components.window.connect_to("b")
    assert preferences.current() == B
