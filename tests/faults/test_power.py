"""F2, F3: a power cut at any moment. What was acknowledged is recovered, and nothing torn is served."""

import itertools
import random
import shutil
from contextlib import closing

import pytest
from effort import effort
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from journals import append_now, change

CUTS = effort(60, 500)
SECTOR = 512
FILES = ("j", "j-wal", "j-head")


def _append(journal, count, **changes):
    first = journal.bounds.head + 1
    described = [("CONFIDENCE", f"S{number % 7}", 0.4) for number in range(first, first + count)]
    return append_now(journal, *described, encode=lambda event: bytes([event.sequence % 251]) * 90, **changes)


def _bytes_of(folder):
    return {name: (folder / name).read_bytes() if (folder / name).exists() else b"" for name in FILES}


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """(files, head, records) after each commit: everything in them was fsynced but the note of the end."""
    folder = tmp_path_factory.mktemp("log")
    with closing(SqliteJournal(folder / "j")) as journal:
        found, records = [(_bytes_of(folder), 0, [])], []
        for burst in range(30):
            records = [*records, *_append(journal, 1 + burst % 5, progress={("S1", "1d"): burst})]
            if burst % 4 == 3:  # as SQLite does by itself every thousand pages, behind a commit
                change(folder / "j", "PRAGMA wal_checkpoint(PASSIVE)")
            found.append((_bytes_of(folder), len(records), records))
    return found


def _torn(before, after, chance):
    """`before`, with any of the sectors that the next commit wrote: the disk writes them in any order."""
    parts = []
    for first in range(0, max(len(before), len(after)), SECTOR):
        old, new = before[first : first + SECTOR], after[first : first + SECTOR]
        parts.append(new if chance.random() < 0.5 else old.ljust(len(new), b"\0") if parts or old else new)
    return b"".join(parts)


def test_what_was_acknowledged_survives_a_power_cut_during_the_next_commit(moments, tmp_path):
    """While the log is written, and, where pages go from there into the database, while that is."""
    chance = random.Random(3)
    assert sum(before[0]["j"] != after[0]["j"] for before, after in itertools.pairwise(moments)) > 3
    for cut in range(CUTS):
        index = chance.randrange(len(moments) - 1)
        (before, head, records), (after, next_head, next_records) = moments[index], moments[index + 1]
        folder = tmp_path / str(cut)
        folder.mkdir()
        torn = {"j-head": _torn(before["j-head"], after["j-head"], chance)}
        if after["j"] != before["j"] and chance.random() < 0.5:
            torn |= {"j-wal": after["j-wal"], "j": _torn(before["j"], after["j"], chance)}
        else:
            torn |= {"j-wal": _torn(before["j-wal"], after["j-wal"], chance), "j": before["j"]}
        for name, data in torn.items():
            (folder / name).write_bytes(data)
        with closing(SqliteJournal(folder / "j")) as journal:
            found = journal.history.read(0, 10_000)
            assert found in (records, next_records), f"cut {cut}: {len(found)} of {head} acknowledged"
            more = _append(journal, 2)
            assert [record.sequence for record in more] == [len(found) + 1, len(found) + 2]
        assert next_head > head
        shutil.rmtree(folder)


def test_a_write_that_stops_at_any_byte_is_whole_or_not_there(moments, tmp_path):
    before, _, records = moments[3]
    after, _, next_records = moments[4]
    start, end = len(before["j-wal"]), len(after["j-wal"])
    assert after["j-wal"].startswith(before["j-wal"])
    for length in range(start, end + 1, effort(257, 1)):
        folder = tmp_path / str(length)
        folder.mkdir()
        for name in FILES:
            (folder / name).write_bytes(before[name])
        (folder / "j-wal").write_bytes(after["j-wal"][:length])
        with closing(SqliteJournal(folder / "j")) as journal:
            assert journal.history.read(0, 10_000) in (records, next_records), f"cut at {length}"
            assert (length < end) == (journal.bounds.head == len(records))
        shutil.rmtree(folder)
