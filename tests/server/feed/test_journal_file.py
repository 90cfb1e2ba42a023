"""What a damaged journal does: it is found out, and nothing wrong is ever served."""

import random
import shutil
import sqlite3

import numpy as np
import pytest
from effort import effort
from glasstape_server.domain import Kind
from glasstape_server.errors import DataLoss
from glasstape_server.feed.chain import first_link
from glasstape_server.feed.journal_care import examine, repair
from glasstape_server.feed.log import Entry, Record, Selection
from glasstape_server.feed.sqlite_log import SqliteLog

A = ("CONFIDENCE", "A", 0.4)


def _fill(path, count=40):
    """A journal of confidences and buys with windows; returns its records."""
    log = SqliteLog(path)
    entries = []
    for n in range(1, count + 1):
        kind = Kind.BUY if n % 3 == 0 else Kind.CONFIDENCE
        record = Record(n, kind, f"S{n % 5}", "1d", "m", n / 100, 1 << 60, bytes([n]) * 30)
        window = np.full((6, 8), n, np.float32) if kind is Kind.CONFIDENCE else None
        entries.append(Entry(record, "d" if window is not None else "", window))
    records = log.append(entries, {(f"S{k}", "1d"): k for k in range(5)})
    log.close()
    db = sqlite3.connect(path)  # everything into the one file that is going to be damaged
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return records


def _questions(log, count):
    """All that a server may ask of a journal."""
    for down in (False, True):
        yield log.page, (Selection(), 1, count, 1000, down)
    yield log.read, (0, 1000)
    yield log.latest, (0,)
    yield log.unresolved, ()
    yield log.progress, ()
    for sequence in range(1, count + 1):
        yield log.window, (sequence,)
        yield log.record, (sequence,)


def _answers(log, count):
    """What it answers."""
    for method, arguments in _questions(log, count):
        try:
            yield method(*arguments)
        except DataLoss:
            yield DAMAGED


DAMAGED = "damaged"
FLIPS = effort(300, 10_000)
"""`make faults` makes 10,000."""


def test_no_flipped_bit_is_ever_served(tmp_path):
    records = _fill(tmp_path / "good")
    log = SqliteLog(tmp_path / "good")
    epoch = log.bounds().epoch
    truth = list(_answers(log, len(records)))
    log.close()
    raw = (tmp_path / "good").read_bytes()
    chance, found = random.Random(1), 0
    for number in range(FLIPS):
        at, bit = chance.randrange(len(raw)), chance.randrange(8)
        path = tmp_path / f"bad-{number}"
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        shutil.copy(tmp_path / "good-head", f"{path}-head")
        try:
            log = SqliteLog(path)
        except DataLoss:
            found += 1
        else:
            if log.bounds().head:  # else its tables are gone, which the note beside it knows
                answers = list(_answers(log, len(records)))
                wrong = [
                    said for said, true in zip(answers, truth, strict=True) if said not in (DAMAGED, true)
                ]
                assert not wrong, f"byte {at}, bit {bit}"
                found += DAMAGED in answers
            else:
                found += log.bounds().epoch != epoch
            log.close()
        for name in tmp_path.glob(f"{path.name}*"):
            name.unlink()
    assert found > FLIPS / 5  # the rest was in bytes that nothing uses


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", b"x"),
        ("winning", 0.9),
        ("symbol", "B"),
        ("expire_time", 1),
        ("kind", 2),
        ("chain", bytes(8)),
    ],
)
def test_a_changed_column_is_found_when_it_is_read(tmp_path, append, column, value):
    path = tmp_path / "j"
    log = SqliteLog(path)
    append(log, *[A] * 5)
    db = sqlite3.connect(path)
    db.execute(f"UPDATE events SET {column} = ? WHERE sequence = 3", (value,))
    db.commit()
    db.close()
    with pytest.raises(DataLoss, match=r"event [34] is not what was written") as error:
        log.read(0, 10)
    assert error.value.reason == "JOURNAL_DAMAGED"
    assert [r.sequence for r in log.read(0, 2)] == [1, 2]  # what is intact is still served
    log.close()


def test_a_lost_tail_begins_a_new_epoch_though_sqlite_finds_nothing(tmp_path, append, caplog):
    path = tmp_path / "j"
    log = SqliteLog(path)
    append(log, *[A] * 5)
    before = log.bounds()
    log.close()
    db = sqlite3.connect(path)
    db.execute("DELETE FROM events WHERE sequence > 3")
    db.execute("DELETE FROM windows WHERE sequence > 3")
    db.commit()
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert [kind for kind, _ in examine(path)] == ["ok", "problem"]
    log = SqliteLog(path)
    assert "it ended at 5 and now ends at 3" in caplog.text
    assert log.bounds().epoch != before.epoch
    after = log.bounds().epoch
    append(log, *[A] * 2)
    log.close()
    log = SqliteLog(path)
    assert log.bounds().epoch == after  # once
    log.close()


def test_another_history_of_the_same_length_begins_a_new_epoch(tmp_path, append):
    path = tmp_path / "j"
    log = SqliteLog(path)
    epoch = log.bounds().epoch
    append(log, *[A] * 3)
    log.close()
    for name in tmp_path.glob("j*"):
        if not name.name.endswith("-head"):
            name.unlink()
    log = SqliteLog(path)
    log._writer.execute("UPDATE meta SET value = ? WHERE name = 'epoch'", (epoch,))
    append(log, *[("CONFIDENCE", "OTHER", 0.4)] * 3)
    shutil.copy(f"{path}-head", tmp_path / "note")
    log.close()
    (tmp_path / "j-head").write_bytes((tmp_path / "note").read_bytes()[::-1])  # illegible: nothing is known
    log = SqliteLog(path)
    same = log.bounds().epoch
    log.close()
    assert SqliteLog(path).bounds().epoch == same


def _first_format(path):
    """A journal as the first release wrote it."""
    db = sqlite3.connect(path)
    db.executescript(
        """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL,
            model_name TEXT NOT NULL, winning REAL NOT NULL, expire_time INTEGER NOT NULL, payload BLOB NOT NULL,
            chain BLOB NOT NULL
        );
        CREATE INDEX events_by_series ON events (kind, symbol, interval, model_name, sequence);
        CREATE TABLE windows (
            sequence INTEGER PRIMARY KEY, digest TEXT NOT NULL, data BLOB NOT NULL,
            resolved INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX windows_open ON windows (sequence) WHERE resolved = 0;
        CREATE TABLE progress (
            symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL,
            PRIMARY KEY (symbol, interval)
        ) WITHOUT ROWID;
        INSERT INTO meta VALUES ('epoch', x'0102030405060708'), ('secret', zeroblob(32));
        INSERT INTO windows VALUES (1, 'd', zeroblob(192), 0);
        INSERT INTO progress VALUES ('A', '1d', 7);
        """
    )
    chain = bytes(8)
    for n in (1, 2, 3):
        record = Record(n, Kind.CONFIDENCE, "A", "1d", "m", 0.5, 9, b"old")
        chain = first_link(chain, record)
        db.execute("INSERT INTO events VALUES (?, 1, 'A', '1d', 'm', 0.5, 9, ?, ?)", (n, b"old", chain))
    db.commit()
    db.close()
    return chain


def test_a_journal_of_the_first_release_goes_on_and_its_tokens_stay_good(tmp_path, append):
    path = tmp_path / "j"
    chain = _first_format(path)
    for _ in range(2):
        log = SqliteLog(path)
        assert log.chain_at(3) == chain
        assert log.bounds().epoch == bytes(range(1, 9))
        assert log.window(1) == ("d", bytes(192))
        assert log.progress() == {("A", "1d"): 7}
        append(log, A)
        log.close()
    log = SqliteLog(path)
    assert [r.payload for r in log.read(0, 9)] == [b"old"] * 3 + [b"CONFIDENCEA3", b"CONFIDENCEA4"]
    log.close()
    assert [kind for kind, _ in examine(path)] == ["ok"]


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path, append):
    path = tmp_path / "j"
    log = SqliteLog(path)
    log._writer.execute("UPDATE meta SET value = ? WHERE name = 'format'", ((3).to_bytes(8, "big"),))
    log.close()
    before = path.read_bytes()
    with pytest.raises(DataLoss, match="format 3 is of a newer version; this one reads up to 2"):
        SqliteLog(path)
    assert path.read_bytes() == before


def _break(path, sequence):
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET payload = x'00' WHERE sequence = ?", (sequence,))
    db.commit()
    db.close()


def test_repair_keeps_what_is_proven_and_the_tokens_of_it(tmp_path):
    path = tmp_path / "j"
    records = _fill(path)
    _break(path, 11)
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


def test_repair_of_a_damaged_end_begins_a_new_epoch(tmp_path):
    path = tmp_path / "j"
    records = _fill(path)
    log = SqliteLog(path)
    epoch = log.bounds().epoch
    log.close()
    _break(path, 39)
    _break(path, 40)
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
