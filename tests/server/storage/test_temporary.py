import os
import subprocess

from glasstape_server.storage import temporary


def test_folders_of_ended_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, running = (
        tmp_path / f"glasstape-windows-{ended.pid}-x",
        tmp_path / f"glasstape-windows-{os.getpid()}-x",
    )
    other = tmp_path / "glasstape-other"
    for folder in (left, running, other):
        folder.mkdir()
    created = temporary.create_folder("windows")
    assert {p.name for p in tmp_path.iterdir()} == {running.name, other.name, created.name}


def test_a_number_that_no_process_can_have_does_not_run():
    assert temporary.is_running(os.getpid())
    assert not temporary.is_running(1 << 70)
