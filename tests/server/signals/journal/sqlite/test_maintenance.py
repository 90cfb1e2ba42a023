"""Looking through a damaged journal, and saving what can be saved of it."""

import sqlite3

import numpy as np
import pytest
from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.sqlite import maintenance as journal_care
from glasstape_server.signals.journal.sqlite.log import SqliteLog
from glasstape_server.signals.journal.sqlite.maintenance import examine, repair
from journals import damage, fill, first_format


def test_a_journal_of_the_first_release_is_examined_and_repaired_as_it_is(tmp_path):
    path = tmp_path / "j"
    first_format(path)
    assert [kind for kind, _ in examine(path)] == ["ok"]
    damage(path, 1)
    assert "problem" in [kind for kind, _ in examine(path)]
    list(repair(path, lambda payload: 1))
    log = SqliteLog(path)
    assert [r.sequence for r in log.read(0, 9)] == [2, 3]
    assert log.progress() == {("A", "1d"): 7}
    log.close()


def test_repair_keeps_what_is_proven_and_the_tokens_of_it(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    damage(path, 11)
    with pytest.raises(DataLoss, match="event 11 is not what was written"):
        SqliteLog(path)
    findings = list(repair(path, lambda payload: payload[0]))
    assert ("warning", "kept events 12 to 40, given up 11 before them") in findings
    log = SqliteLog(path)
    assert log.read(0, 100) == records[11:]
    assert log.chain_at(11) == records[10].chain  # a reader that stands at 11 goes on
    assert log.window(40)[1] == np.full((6, 8), 40, np.float32).tobytes()
    assert log.progress()["S0", "1d"] == 40  # never behind what is kept: no bar is signalled twice
    log.close()
    assert [kind for kind, _ in examine(path)] == ["ok"]
    assert (tmp_path / "j.damaged-1").is_file()


def test_a_repair_that_is_killed_can_be_begun_again(tmp_path, monkeypatch):
    path = tmp_path / "j"
    records = fill(path)
    damage(path, 11)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(journal_care, "_copy_progress", killed)
        killing.setattr(journal_care, "_remove", lambda _: None)  # nobody tidies up behind a kill
        with pytest.raises(KeyboardInterrupt):
            list(repair(path, lambda payload: payload[0]))
    with pytest.raises(DataLoss, match="event 11"):
        SqliteLog(path)  # and no empty journal is taken for it
    list(repair(path, lambda payload: payload[0]))
    log = SqliteLog(path)
    assert log.read(0, 100) == records[11:]
    log.close()


def test_repair_of_a_damaged_end_begins_a_new_epoch(tmp_path):
    path = tmp_path / "j"
    records = fill(path)
    log = SqliteLog(path)
    epoch = log.bounds().epoch
    log.close()
    damage(path, 39)
    damage(path, 40)
    list(repair(path, lambda payload: payload[0]))
    log = SqliteLog(path)
    assert log.read(0, 100) == records[:38]
    assert log.bounds().epoch != epoch
    log.close()


def test_repair_of_what_is_no_database_leaves_it_as_it_is(tmp_path):
    path = tmp_path / "j"
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(DataLoss, match="not a database"):
        SqliteLog(path)
    with pytest.raises(sqlite3.DatabaseError):
        list(repair(path, lambda payload: 0))
    assert path.read_bytes() == b"garbage" * 1000
