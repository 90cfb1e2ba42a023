import sqlite3

import numpy as np
import pytest
from glasstape_server.domain.errors import DataLoss, ResourceExhausted
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Entry, Record, Selection
from glasstape_server.signals.journal.sqlite.chain import NO_CHAIN, link
from glasstape_server.signals.journal.sqlite.log import SqliteLog

A = ("CONFIDENCE", "A", 0.4)


def test_what_was_appended_is_there_after_reopening_with_the_same_epoch_and_chain(tmp_path, append):
    log = SqliteLog(tmp_path / "j")
    records = append(log, A, ("BUY", "A", 0.4), ("CONFIDENCE", "B", 0.5))
    before = log.bounds()
    log.close()
    log = SqliteLog(tmp_path / "j")
    assert log.bounds() == before
    assert log.read(0, 10) == records
    assert [r.sequence for r in log.read(1, 1)] == [2]
    chain = NO_CHAIN
    for record in records:
        chain = link(chain, record)
        assert record.chain == log.chain_at(record.sequence) == chain
    log.close()


def test_sequences_must_go_on_from_the_head(log):
    record = Record(2, Kind.CONFIDENCE, "A", "1d", "m", 0.4, 0, b"x")
    with pytest.raises(ValueError, match="sequence 2"):
        log.append([Entry(record)], {})


def test_a_failed_transaction_leaves_nothing(log, append):
    append(log, A)
    log._writer.execute("PRAGMA max_page_count = 1")
    with pytest.raises(ResourceExhausted):
        append(log, *[A] * 5000)
    assert log.bounds().head == 1
    log._writer.execute("PRAGMA max_page_count = 1000000")
    assert append(log, A)[0].sequence == 2


def test_windows_progress_and_what_is_unresolved(log):
    window = np.arange(48, dtype=np.float32).reshape(6, 8)
    confidence = Record(1, Kind.CONFIDENCE, "A", "1d", "m", 0.4, 0, b"c")
    buy = Record(2, Kind.BUY, "A", "1d", "m", 0.4, 0, b"b")
    log.append([Entry(confidence, "digest", window), Entry(buy)], {("A", "1d"): 7})
    assert log.window(1) == log.window(2) == ("digest", window.tobytes())
    assert log.progress() == {("A", "1d"): 7}
    assert [r.sequence for r in log.unresolved()] == [1]
    outcome = Record(3, Kind.OUTCOME, "A", "1d", "m", 0.4, 0, b"o")
    log.append([Entry(outcome, resolves=1)], {("A", "1d"): 8})
    assert log.unresolved() == []
    assert log.window(3) is None
    assert log.progress() == {("A", "1d"): 8}


def test_pages_filter_and_run_both_ways(log, append):
    append(log, A, ("BUY", "A", 0.4), ("CONFIDENCE", "B", 0.6), ("OUTCOME", "B", 0.1), ("BUY", "B", 0.6))

    def page(limit=10, descending=False, **selection):
        return [r.sequence for r in log.page(Selection(**selection), 1, 5, limit, descending)]

    assert page() == [1, 2, 3, 4, 5]
    assert page(2, True) == [5, 4]
    assert page(symbols=frozenset({"B"})) == [3, 4, 5]
    assert page(kinds=frozenset({Kind.BUY})) == [2, 5]
    assert page(min_confidence=0.5) == [3, 4, 5]  # outcomes always pass


def test_compaction_keeps_the_chain_and_the_numbering(tmp_path, append):
    log = SqliteLog(tmp_path / "j")
    records = append(log, *[A] * 10)
    log.compact(8)
    assert log.bounds().earliest == 8
    assert log.chain_at(7) == records[6].chain
    assert log.chain_at(6) is None
    log.compact(999)
    log.close()
    log = SqliteLog(tmp_path / "j")
    assert (log.bounds().earliest, log.bounds().head) == (10, 10)
    assert append(log, A)[0].sequence == 11
    log.close()


def test_the_latest_of_each_kind_symbol_and_model(log, append):
    append(log, A, ("BUY", "A", 0.4), A, ("CONFIDENCE", "B", 0.4), ("OUTCOME", "A", 0.4))
    append(log, A, model="other")
    assert [r.sequence for r in log.latest(now=0)] == [2, 3, 4, 6]
    assert [r.sequence for r in log.latest(now=1 << 61)] == [3, 4, 6]


def test_a_hole_in_the_journal_is_found_when_it_is_opened(tmp_path, append):
    log = SqliteLog(tmp_path / "j")
    append(log, *[A] * 5)
    log.close()
    db = sqlite3.connect(tmp_path / "j")
    db.execute("DELETE FROM events WHERE sequence = 3")
    db.commit()
    db.close()
    with pytest.raises(DataLoss, match="1 events are missing"):
        SqliteLog(tmp_path / "j")
