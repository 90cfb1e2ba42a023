"""What a damaged journal does: it is found out, and nothing wrong is ever served."""

import asyncio
import random
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from effort import effort
from glasstape_server.domain.errors import DataLoss, Unavailable
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.records import Selection
from glasstape_server.signals.journal.sqlite.examine import examine
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from journals import A, append_now, change, cut, fill
from limits import no_more_files


def _calls(history, count):
    """All reads that a server may make of a journal."""
    wanted = (
        Selection(),
        Selection(kinds=frozenset({Kind.BUY})),
        Selection(symbols=frozenset({"S3"})),
        Selection(min_confidence=0.2),
    )
    for selection in wanted:
        for down in (False, True):
            yield history.page, (selection, 1, count, 1000, down)
    yield history.read, (0, 1000)
    yield history.latest, (0,)
    yield history.unresolved, ()
    yield history.progress, ()
    for sequence in range(1, count + 1):
        yield history.window, (sequence,)
        yield history.record, (sequence,)
        yield history.chain_at, (sequence,)


def _results(history, count):
    """What they return."""
    for method, arguments in _calls(history, count):
        try:
            yield method(*arguments)
        except (DataLoss, Unavailable):
            yield DAMAGED


DAMAGED = "damaged"
FLIPS = effort(300, 10_000)
"""`make faults` makes 10,000."""


def test_no_flipped_bit_is_ever_served(tmp_path):
    records = fill(tmp_path / "good")
    with closing(SqliteJournal(tmp_path / "good")) as journal:
        epoch = journal.bounds.epoch
        truth = list(_results(journal.history, len(records)))
    raw = (tmp_path / "good").read_bytes()
    chance, noticed = random.Random(1), 0
    for number in range(FLIPS):
        at, bit = chance.randrange(len(raw)), chance.randrange(8)
        path = tmp_path / f"bad-{number}"
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
        shutil.copy(tmp_path / "good-head", f"{path}-head")
        try:
            journal = SqliteJournal(path)
        except (DataLoss, sqlite3.OperationalError):
            noticed += 1
        else:
            with closing(journal):
                if journal.bounds.head:  # else its tables are gone, which the note beside it knows
                    results = list(_results(journal.history, len(records)))
                    wrong = [
                        result
                        for result, true in zip(results, truth, strict=True)
                        if result not in (DAMAGED, true)
                    ]
                    assert not wrong, f"byte {at}, bit {bit}"
                    noticed += DAMAGED in results
                else:
                    noticed += journal.bounds.epoch != epoch
        for name in tmp_path.glob(f"{path.name}*"):
            name.unlink()
    assert noticed > FLIPS / 5  # the rest was in bytes that nothing uses


def test_a_hole_is_found_when_the_journal_is_opened(tmp_path):
    path = tmp_path / "j"
    fill(path, 5)
    change(path, "DELETE FROM events WHERE sequence = 3")
    with pytest.raises(DataLoss, match="1 events are missing"):
        SqliteJournal(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", b"x"),
        ("winning", 0.9),
        ("symbol", "B"),
        ("expire_time", 1),
        ("kind", 2),
        ("event_id", bytes(16)),
        ("event_id", bytes(17)),
        ("model", 9),
        ("chain", bytes(8)),
    ],
)
def test_a_changed_column_is_found_when_it_is_read(tmp_path, column, value):
    path = tmp_path / "j"
    with closing(SqliteJournal(path)) as journal:
        append_now(journal, *[A] * 5)
        change(path, f"UPDATE events SET {column} = ? WHERE sequence = 3", value)
        with pytest.raises(DataLoss, match=r"event [34] is not what was written|model 9 is missing") as error:
            journal.history.read(0, 10)
        assert error.value.reason == "JOURNAL_DAMAGED"
        assert [r.sequence for r in journal.history.read(0, 2)] == [1, 2]  # what is intact is still served


@pytest.mark.parametrize("column", ["digest", "name", "version", "feature_spec_hash"])
def test_a_changed_model_is_found_with_its_events(tmp_path, column):
    path = tmp_path / "j"
    fill(path)
    change(path, f"UPDATE models SET {column} = 'other'")
    with pytest.raises(DataLoss, match="event 1 is not what was written"):
        SqliteJournal(path)
    assert "problem" in [kind for kind, _ in examine(path)]


def test_a_model_is_stored_once_however_many_events_name_it(tmp_path):
    path = tmp_path / "j"
    fill(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name, version, digest, feature_spec_hash FROM models").fetchall() == [
            ("m", "1", "d", "f")
        ]


def test_a_lost_tail_begins_a_new_epoch_though_sqlite_finds_nothing(tmp_path, caplog):
    path = tmp_path / "j"
    with closing(SqliteJournal(path)) as journal:
        append_now(journal, *[A] * 5)
        before = journal.bounds
    cut(path, 3)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [kind for kind, _ in examine(path)] == ["ok", "problem"]
    with closing(SqliteJournal(path)) as journal:
        assert "it ended at 5 and now ends at 3" in caplog.text
        after = journal.bounds
        assert after.epoch != before.epoch
        append_now(journal, *[A] * 2)
    with closing(SqliteJournal(path)) as journal:
        assert journal.bounds.epoch == after.epoch  # once


def test_another_history_of_the_same_length_begins_a_new_epoch(tmp_path):
    notes, epochs = [], []
    for symbol in ("A", "OTHER"):
        with closing(SqliteJournal(tmp_path / symbol)) as journal:
            append_now(journal, *[("CONFIDENCE", symbol, 0.4)] * 3)
            epochs.append(journal.bounds.epoch)
        notes.append((tmp_path / f"{symbol}-head").read_bytes())
    (tmp_path / "OTHER-head").write_bytes(notes[0])  # it once ended at 3, too, and otherwise
    with closing(SqliteJournal(tmp_path / "OTHER")) as journal:
        assert journal.bounds.epoch not in epochs


def test_an_illegible_note_of_the_end_proves_nothing(tmp_path):
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        append_now(journal, A)
        epoch = journal.bounds.epoch
    (tmp_path / "j-head").write_bytes(b"\xff" * 20)
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        assert journal.bounds.epoch == epoch


def test_an_end_that_cannot_be_noted_undoes_no_commit(tmp_path):
    (tmp_path / "j-head").symlink_to("/dev/full")
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        assert [record.sequence for record in append_now(journal, A, A)] == [1, 2]
        assert journal.degraded_reason == "the journal's end cannot be noted: No space left on device"
    (tmp_path / "j-head").unlink()
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        append_now(journal, A)
        assert not journal.degraded_reason
        assert [record.sequence for record in journal.history.read(0, 9)] == [1, 2, 3]


@pytest.mark.parametrize("statement", range(9))
def test_a_first_start_that_is_killed_leaves_nothing_in_the_way(tmp_path, monkeypatch, statement):
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
            SqliteJournal(tmp_path / "j")
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        append_now(journal, A)
        assert journal.bounds.head == 1


@pytest.mark.parametrize(("column", "value"), [("kind", 1), ("symbol", "B"), ("winning", 0.0)])
def test_what_a_filter_would_leave_out_for_its_damage_is_found(tmp_path, column, value):
    path = tmp_path / "j"
    with closing(SqliteJournal(path)) as journal:
        append_now(journal, *[("BUY", "A", 0.9)] * 6)
    change(path, f"UPDATE events SET {column} = ? WHERE sequence = 2", value)
    with closing(SqliteJournal(path, startup_check_records=2)) as journal:
        wanted = Selection(frozenset({"A"}), frozenset({Kind.BUY}), 0.5)
        assert [r.sequence for r in journal.history.page(wanted, 4, 6, 9, False)] == [4, 5, 6]
        with pytest.raises(DataLoss, match="event 2 is not what was written"):
            journal.history.page(wanted, 1, 6, 9, False)


def test_a_damaged_chain_resets_no_reader(tmp_path):
    path = tmp_path / "j"
    records = fill(path, 3)
    with closing(SqliteJournal(path)) as journal:
        before = journal.bounds
        change(path, "UPDATE events SET chain = zeroblob(8) WHERE sequence = 2")
        with pytest.raises(DataLoss):
            journal.history.chain_at(2)
        with pytest.raises(DataLoss):
            asyncio.run(journal.confirm_loss(before.epoch, records[1].position))
        assert journal.bounds == before


def test_a_machine_without_descriptors_is_no_damage(tmp_path):
    with closing(SqliteJournal(tmp_path / "j")) as journal:
        append_now(journal, A)
        with ThreadPoolExecutor(1) as newcomer:  # whose thread has no connection yet
            newcomer.submit(int).result()
            with no_more_files():
                error = newcomer.submit(journal.history.read, 0, 9).exception()
    assert isinstance(error, Unavailable)
    assert error.message == f"the journal cannot be read now: {tmp_path / 'j'}: unable to open database file"
    assert error.retry_after


@pytest.mark.parametrize(("version", "reason"), [(2, "JOURNAL_DAMAGED"), (4, "JOURNAL_TOO_NEW")])
def test_a_journal_of_another_format_is_left_alone(tmp_path, version, reason):
    path = tmp_path / "j"
    fill(path)
    change(path, "UPDATE meta SET value = ? WHERE name = 'format'", version.to_bytes(8, "big"))
    change(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(DataLoss, match=f"format {version}, expected 3") as error:
        SqliteJournal(path)
    assert error.value.reason == reason
    assert path.read_bytes() == before
    assert [text for kind, text in examine(path) if kind == "problem"] == [
        f"{path}: format {version}, expected 3"
    ]


def test_a_removed_journal_is_named_and_not_made_anew(tmp_path):
    fill(tmp_path / "journal")
    with closing(SqliteJournal(tmp_path / "journal")) as journal:
        for file in tmp_path.iterdir():
            file.unlink()
        with ThreadPoolExecutor(1) as thread:  # has no connection yet
            reading = thread.submit(journal.history.read, 0, 10)
            with pytest.raises(
                Unavailable, match=f"cannot be read now: {tmp_path / 'journal'}: unable to open"
            ):
                reading.result()
        assert not list(tmp_path.iterdir())
