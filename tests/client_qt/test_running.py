"""What outlives a run: rows of each profile, settings."""

import pytest
from desks import UP, confidence
from glasstape_qt.app import Running
from glasstape_qt.state import snapshot
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.preferences import Preferences, Profile, save

A, B = Profile(name="a", address="127.0.0.1:1"), Profile(name="b", address="127.0.0.1:2")


@pytest.fixture
def running(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path))
    save(tmp_path / "desktop.json", Preferences(profiles=[A, B], profile="a", language="en"))
    made = Running()
    qtbot.addWidget(made.parts.window)
    yield made
    made.parts.window.close()


def rows_kept(folder, profile):
    desk = Desk()
    snapshot.load(snapshot.path_of(folder, profile), desk)
    return set(desk.rows)


def test_each_profile_keeps_its_own_rows_and_shows_them_again(running, tmp_path, qtbot):
    desk, window = running.parts.desk, running.parts.window
    running.follow(A)
    desk.rows["ONLY-A"] = desk._row(confidence("ONLY-A", UP))
    desk.connection.state = LinkState.CONNECTED
    window.connect_to("b")
    assert desk.rows == {}
    desk.rows["ONLY-B"] = desk._row(confidence("ONLY-B", UP))
    desk.connection.state = LinkState.CONNECTED
    window.connect_to("a")
    assert (rows_kept(tmp_path, A), rows_kept(tmp_path, B)) == ({"ONLY-A"}, {"ONLY-B"})
    assert set(desk.rows) == {"ONLY-A"}
    assert desk.rows["ONLY-A"].old
    assert window.watch.model.symbols == ["ONLY-A"]


def test_old_rows_are_not_kept_again_as_if_they_were_new(running, tmp_path):
    running.follow(A)
    running.parts.desk.remember([confidence("OLD", UP)])
    running.parts.desk.connection.state = LinkState.CONNECTED
    running._keep_rows()
    assert rows_kept(tmp_path, A) == set()


def test_a_damaged_snapshot_is_said(running, tmp_path):
    snapshot.path_of(tmp_path, A).write_bytes(b"\x1f\x8bnonsense")
    running.follow(A)
    assert "could not be read" in running.parts.window.notice.text()
