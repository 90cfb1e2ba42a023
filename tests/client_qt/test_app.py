"""Rows of each profile are saved and restored."""

import pytest
from glasstape_qt.app import DesktopApplication
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
