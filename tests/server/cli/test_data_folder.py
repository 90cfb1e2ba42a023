"""`glasstape backup`, `restore` and `doctor --journal`, on the data folder of a real server."""

import shutil
import sqlite3
import time

import pytest
from glasstape import BuyEvent, Client, ConfidenceEvent, Opened
from glasstape.cli import main
from glasstape_server.app import App
from glasstape_server.cli.data_folder import lock_folder
from glasstape_server.settings import Settings
from glasstape_server.startup import StartError
from made_up import daily
from running import ServerProcess

BARS = daily("AAA", 90)


def _publish(address, first, last):
    """Publish bars and wait for their signals; return the newest sequence."""
    with Client(address) as client:
        client.publish_bars(BARS[first:last], mode="final" if first else "backfill")
        if first == 0:
            return 0
        end = time.monotonic() + 20
        while time.monotonic() < end:
            events = list(client.history(symbols=["AAA"]))
            if events and max(e.bar_close_time for e in events) == BARS[last - 1].close_time:
                return max(event.sequence for event in events)
            time.sleep(0.05)
    raise AssertionError("no signal within 20 s")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A stopped server's data folder, an earlier backup of it, and a resume token of its end."""
    folder = tmp_path_factory.mktemp("served")
    with ServerProcess(folder / "data") as server:
        _publish(server.address, 0, 80)
        _publish(server.address, 80, 85)
        assert main(["backup", "--data-dir", str(folder / "data"), "--to", str(folder / "copy")]) == 0
        _publish(server.address, 85, 90)
        with Client(server.address) as client, client.signals(start="earliest") as stream:
            for event in stream:
                if event.bar_close_time == BARS[89].close_time and isinstance(
                    event, ConfidenceEvent | BuyEvent
                ):
                    break
            token = stream.resume_token
    return folder, token


@pytest.fixture
def data(served, tmp_path):
    """A copy of that folder that a test may damage."""
    return shutil.copytree(served[0] / "data", tmp_path / "data")


def _doctor(capsys, folder, *more):
    status = main(["doctor", "--offline", "--journal", str(folder), *more])
    lines = capsys.readouterr().out.splitlines()
    return status, [line for line in lines if "journal" in line or "kept" in line]


def test_an_intact_journal_has_no_problems(data, capsys):
    status, lines = _doctor(capsys, data, "--repair")
    assert status == 0
    assert "are what was written" in lines[0]
    assert "nothing to repair" in lines[1]


def test_a_damaged_journal_is_detected_rejected_and_repaired(data, capsys):
    db = sqlite3.connect(data / "live" / "journal.sqlite")
    db.execute("UPDATE events SET winning = 0.99 WHERE sequence = 2")
    db.commit()
    (head,) = db.execute("SELECT max(sequence) FROM events").fetchone()
    db.close()
    status, lines = _doctor(capsys, data)
    assert status == 1
    assert "1 of events 1 to" in lines[0]
    with pytest.raises(
        StartError, match="event 2 is not what was written; `glasstape doctor --journal` says more"
    ):
        App(Settings(data_dir=data))
    _, lines = _doctor(capsys, data, "--repair")
    assert any(f"kept events 3 to {head}, given up 2 before them" in line for line in lines)
    assert "are what was written" in lines[-1]
    with ServerProcess(data) as server, Client(server.address) as client:
        assert min(event.sequence for event in client.history()) == 3


def test_repair_requires_a_stopped_server(data, capsys):
    db = sqlite3.connect(data / "live" / "journal.sqlite")
    with lock_folder(data):
        db.execute("UPDATE events SET winning = 0.99 WHERE sequence = 1")
        db.commit()
        status, lines = _doctor(capsys, data, "--repair")
    db.close()
    assert status == 1
    assert "nothing" not in lines[-1]
    assert not list((data / "live").glob("*.damaged-*"))


def test_a_restored_backup_has_a_new_epoch(served, data, capsys):
    folder, token = served
    assert main(["restore", "--data-dir", str(data), "--from", str(folder / "copy")]) == 0
    assert "the journal begins a new epoch" in capsys.readouterr().out
    with ServerProcess(data) as server:
        with Client(server.address) as client:
            newest = max(event.bar_close_time for event in client.history())
            assert newest == BARS[84].close_time
            with client.signals(resume_token=token) as stream:
                opened = next(message for message in stream.messages() if isinstance(message, Opened))
        assert opened.result.value == "reset"
        _publish(server.address, 85, 90)  # bars after the backup are published again
    assert sorted(path.name for path in data.glob("live*")) == ["live", "live.before-1"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["backup", "--data-dir", "nowhere", "--to", "x"], "--data-dir: nowhere has no live journal"),
        (["restore", "--data-dir", "x", "--from", "nowhere"], "there is no such journal"),
    ],
)
def test_invalid_folders_are_rejected(arguments, text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_backup_does_not_overwrite_a_folder(data, tmp_path, capsys):
    (tmp_path / "existing").mkdir()
    assert main(["backup", "--data-dir", str(data), "--to", str(tmp_path / "existing")]) == 1
    assert "existing exists; pass a new folder" in capsys.readouterr().err


def test_a_backup_of_a_damaged_journal_leaves_nothing(data, tmp_path, capsys):
    db = sqlite3.connect(data / "live" / "journal.sqlite")
    db.execute("UPDATE events SET winning = 0.99 WHERE sequence = 1")
    db.commit()
    db.close()
    assert main(["backup", "--data-dir", str(data), "--to", str(tmp_path / "copy")]) == 1
    assert "are damaged" in capsys.readouterr().err
    assert not list(tmp_path.glob("copy*"))


def test_restore_requires_a_stopped_server(served, data, capsys):
    with lock_folder(data):
        assert main(["restore", "--data-dir", str(data), "--from", str(served[0] / "copy")]) == 1
    assert "is in use by a server; stop it first" in capsys.readouterr().err


def test_an_interrupted_restore_prevents_the_start(served, data, capsys):
    assert main(["restore", "--data-dir", str(data), "--from", str(served[0] / "copy")]) == 0
    (data / "live").rename(data / "live.restoring")  # killed between its two renames
    with pytest.raises(
        StartError, match=rf"did not finish: repeat it, or rename {data}/live.before-1 to {data}/live$"
    ):
        App(Settings(data_dir=data, port=0))
    assert main(["restore", "--data-dir", str(data), "--from", str(served[0] / "copy")]) == 0
    with ServerProcess(data) as server, Client(server.address) as client:
        assert list(client.history())


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER UPDATE ON meta BEGIN UPDATE events SET symbol = 'HACKED'; END",
        "DROP TABLE windows; CREATE VIEW windows AS WITH RECURSIVE n(x) AS "
        "(SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    ],
)
def test_a_backup_with_triggers_or_views_is_rejected(served, tmp_path, capsys, statement):
    copy = shutil.copytree(served[0] / "copy", tmp_path / "copy")
    db = sqlite3.connect(copy / "live" / "journal.sqlite")
    db.executescript(statement)
    db.close()
    assert main(["restore", "--from", str(copy), "--data-dir", str(tmp_path / "new")]) == 1
    assert "holds what no journal does" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_backup_without_bars_is_rejected(served, tmp_path, capsys):
    copy = shutil.copytree(served[0] / "copy", tmp_path / "copy")
    (copy / "live" / "bars.sqlite").unlink()
    assert main(["restore", "--from", str(copy), "--data-dir", str(tmp_path / "new")]) == 1
    assert "the backup has no bars" in capsys.readouterr().err
