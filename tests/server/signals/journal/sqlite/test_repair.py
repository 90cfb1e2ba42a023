"""Examining a damaged journal, and saving what can be saved of it."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.sqlite.examine import examine
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from glasstape_server.signals.journal.sqlite.repair import begin_history, repair
from journals import damage, fill


def _close_time(record):
    return record.payload[0]


def test_repair_keeps_what_is_proven_and_the_tokens_of_it(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    damage(path, 11)
    with pytest.raises(DataLoss, match="event 11 is not what was written"):
        SqliteJournal(path)
    findings = repair(path, _close_time)
    assert ("warning", "kept events 12 to 40, given up 11 before them") in findings
    with closing(SqliteJournal(path)) as journal:
        history = journal.history
        assert history.read(0, 100) == records[11:]
        assert history.chain_at(11) == records[10].chain  # a reader that stands at 11 goes on
        assert history.window(40) == np.full((6, 8), 40, np.float32).tobytes()
        assert history.progress()["S0", "1d"] == 40  # never behind what is kept: no bar is signaled twice
    assert [kind for kind, _ in examine(path)] == ["ok"]
    assert (tmp_path / "j.damaged-1").is_file()


_KILLED = """
import os, signal, sys
from pathlib import Path
from glasstape_server.signals.journal.sqlite.repair import repair

def close_time(record):
    if record.sequence == 20:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

repair(Path(sys.argv[1]), close_time)
"""


def test_a_repair_that_is_killed_can_be_begun_again(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    damage(path, 11)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("*.repairing"))
    with pytest.raises(DataLoss, match="event 11"):
        SqliteJournal(path)  # and no empty journal is taken for it
    repair(path, _close_time)
    with closing(SqliteJournal(path)) as journal:
        assert journal.history.read(0, 100) == records[11:]


def test_a_repair_that_fails_leaves_everything_as_it_was(tmp_path):
    path = tmp_path / "j"
    fill(path)
    damage(path, 11)
    before = path.read_bytes()

    def fails(record):
        raise ValueError("no event")

    with pytest.raises(ValueError, match="no event"):
        repair(path, fails)
    assert path.read_bytes() == before
    assert {name.name for name in tmp_path.iterdir()} <= {"j", "j-head", "j-wal", "j-shm"}


def test_repair_of_a_damaged_end_begins_a_new_epoch(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    with closing(SqliteJournal(path)) as journal:
        epoch = journal.bounds.epoch
    damage(path, 39)
    damage(path, 40)
    repair(path, _close_time)
    with closing(SqliteJournal(path)) as journal:
        assert journal.history.read(0, 100) == records[:38]
        assert journal.bounds.epoch != epoch


def test_repair_of_what_is_no_database_leaves_it_as_it_is(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(DataLoss, match="not a database"):
        SqliteJournal(path)
    with pytest.raises(sqlite3.DatabaseError):
        repair(path, _close_time)
    assert path.read_bytes() == b"garbage" * 1000


def test_a_copied_journal_gets_a_history_of_its_own(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    with closing(SqliteJournal(path)) as journal:
        before = journal.bounds
    begin_history(path)
    with closing(SqliteJournal(path)) as journal:
        assert journal.bounds.epoch != before.epoch
        assert journal.history.read(0, 100) == records
