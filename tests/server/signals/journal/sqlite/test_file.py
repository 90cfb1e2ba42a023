"""What a damaged journal does: it is found out, and nothing wrong is ever served."""

import random
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from effort import effort
from glasstape_server.domain.errors import DataLoss, Unavailable
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Selection
from glasstape_server.signals.journal.sqlite.file import HighWater
from glasstape_server.signals.journal.sqlite.log import SqliteLog
from glasstape_server.signals.journal.sqlite.maintenance import examine
from journals import fill, first_format

A = ("CONFIDENCE", "A", 0.4)


def _questions(log, count):
    """All that a server may ask of a journal."""
    wanted = (
        Selection(),
        Selection(kinds=frozenset({Kind.BUY})),
        Selection(symbols=frozenset({"S3"})),
        Selection(min_confidence=0.2),
    )
    for selection in wanted:
        for down in (False, True):
            yield log.page, (selection, 1, count, 1000, down)
    yield log.read, (0, 1000)
    yield log.latest, (0,)
    yield log.unresolved, ()
    yield log.progress, ()
    for sequence in range(1, count + 1):
        yield log.window, (sequence,)
        yield log.record, (sequence,)
        yield log.chain_at, (sequence,)


def _answers(log, count):
    """What it answers."""
    for method, arguments in _questions(log, count):
        try:
            yield method(*arguments)
        except (DataLoss, Unavailable):
            yield DAMAGED


DAMAGED = "damaged"
FLIPS = effort(300, 10_000)
"""`make faults` makes 10,000."""


def test_no_flipped_bit_is_ever_served(tmp_path):
    records = fill(tmp_path / "good")
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
        except (DataLoss, sqlite3.OperationalError):
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
    notes, epochs = [], []
    for symbol in ("A", "OTHER"):
        log = SqliteLog(tmp_path / symbol)
        append(log, *[("CONFIDENCE", symbol, 0.4)] * 3)
        epochs.append(log.bounds().epoch)
        log.close()
        notes.append((tmp_path / f"{symbol}-head").read_bytes())
    (tmp_path / "OTHER-head").write_bytes(notes[0])  # it once ended at 3, too, and otherwise
    log = SqliteLog(tmp_path / "OTHER")
    assert log.bounds().epoch not in epochs
    log.close()


def test_an_illegible_note_of_the_end_says_nothing(tmp_path, append):
    log = SqliteLog(tmp_path / "j")
    append(log, A)
    epoch = log.bounds().epoch
    log.close()
    (tmp_path / "j-head").write_bytes(b"\xff" * 20)
    log = SqliteLog(tmp_path / "j")
    assert log.bounds().epoch == epoch
    log.close()


def test_an_end_that_cannot_be_noted_undoes_no_commit(tmp_path, append, monkeypatch):
    log = SqliteLog(tmp_path / "j")

    def refuse(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(HighWater, "write", refuse)
        assert [record.sequence for record in append(log, A, A)] == [1, 2]
        assert log.trouble == "the journal's end cannot be noted: Input/output error"
    append(log, A)
    assert not log.trouble
    assert [record.sequence for record in log.read(0, 9)] == [1, 2, 3]
    log.close()


@pytest.mark.parametrize("statement", range(9))
def test_a_first_start_that_is_killed_leaves_nothing_in_the_way(tmp_path, append, monkeypatch, statement):
    left = statement

    class Killed(sqlite3.Connection):
        def execute(self, sql, *values):
            nonlocal left
            if sql.lstrip().startswith(("CREATE", "INSERT")):
                left -= 1
                if left < 0:
                    raise KeyboardInterrupt
            return super().execute(sql, *values)

    connect = sqlite3.connect
    with monkeypatch.context() as killing:
        killing.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Killed))
        with pytest.raises(KeyboardInterrupt):
            SqliteLog(tmp_path / "j")
    log = SqliteLog(tmp_path / "j")
    append(log, A)
    assert log.bounds().head == 1
    log.close()


@pytest.mark.parametrize(("column", "value"), [("kind", 1), ("symbol", "B"), ("winning", 0.0)])
def test_what_a_filter_would_leave_out_for_its_damage_is_found(tmp_path, append, monkeypatch, column, value):
    monkeypatch.setattr("glasstape_server.signals.journal.sqlite.log._CHECKED_TAIL", 2)
    path = tmp_path / "j"
    log = SqliteLog(path)
    append(log, *[("BUY", "A", 0.9)] * 6)
    log.close()
    db = sqlite3.connect(path)
    db.execute(f"UPDATE events SET {column} = ? WHERE sequence = 2", (value,))
    db.commit()
    db.close()
    log = SqliteLog(path)
    wanted = Selection(frozenset({"A"}), frozenset({Kind.BUY}), 0.5)
    assert [r.sequence for r in log.page(wanted, 4, 6, 9, False)] == [4, 5, 6]
    with pytest.raises(DataLoss, match="event 2 is not what was written"):
        log.page(wanted, 1, 6, 9, False)
    log.close()


def test_a_damaged_chain_resets_no_reader(tmp_path, append):
    path = tmp_path / "j"
    log = SqliteLog(path)
    append(log, *[A] * 3)
    db = sqlite3.connect(path)
    db.execute("UPDATE events SET chain = zeroblob(8) WHERE sequence = 2")
    db.commit()
    db.close()
    with pytest.raises(DataLoss):
        log.chain_at(2)
    log.close()


def test_a_machine_without_descriptors_is_no_damage(tmp_path, append, monkeypatch):
    log = SqliteLog(tmp_path / "j")
    append(log, A)

    def exhausted(_):
        raise _with_code(sqlite3.OperationalError("unable to open database file"), sqlite3.SQLITE_CANTOPEN)

    monkeypatch.setattr("glasstape_server.signals.journal.sqlite.log.connect", exhausted)
    with ThreadPoolExecutor(1) as newcomer:  # whose thread has no connection yet
        error = newcomer.submit(log.read, 0, 9).exception()
    assert isinstance(error, Unavailable)
    assert "cannot be read now: unable to open" in error.message
    assert error.retry_after
    log.close()


def _with_code(error, code):
    error.sqlite_errorcode = code
    return error


def test_a_journal_of_the_first_release_goes_on_and_its_tokens_stay_good(tmp_path, append):
    path = tmp_path / "j"
    chain = first_format(path)
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


def test_a_journal_of_the_first_release_without_events_goes_on(tmp_path, append):
    path = tmp_path / "j"
    first_format(path)
    db = sqlite3.connect(path)
    db.execute("DELETE FROM events")
    db.execute("DELETE FROM windows")
    db.commit()
    db.close()
    log = SqliteLog(path)
    assert log.progress() == {("A", "1d"): 7}
    append(log, A)
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
