"""F2, F3: a power cut at any moment. What was acknowledged is recovered, and nothing torn is served."""

import itertools
import random
import shutil

import numpy as np
import pytest
from effort import effort
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Entry, Record
from glasstape_server.signals.journal.sqlite.log import SqliteLog

CUTS = effort(60, 500)
SECTOR = 512
FILES = ("j", "j-wal", "j-head")


def _entries(first, count):
    rows = []
    for number in range(first, first + count):
        record = Record(
            number, Kind.CONFIDENCE, f"S{number % 7}", "1d", "m", 0.4, 1 << 60, bytes([number % 251]) * 90
        )
        rows.append(Entry(record, "d", np.full((6, 8), number, np.float32)))
    return rows


def _bytes_of(folder):
    return {name: (folder / name).read_bytes() if (folder / name).exists() else b"" for name in FILES}


@pytest.fixture(scope="module")
def moments(tmp_path_factory):
    """(files, head, records) after each commit: everything in them was fsynced but the note of the end."""
    folder = tmp_path_factory.mktemp("log")
    log = SqliteLog(folder / "j")
    log._writer.execute("PRAGMA wal_autocheckpoint = 24")  # pages: one every few commits
    found, records = [(_bytes_of(folder), 0, [])], []
    for burst in range(30):
        made = log.append(_entries(len(records) + 1, 1 + burst % 5), {("S1", "1d"): burst})
        records = [*records, *made]
        found.append((_bytes_of(folder), len(records), records))
    log.close()
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
        log = SqliteLog(folder / "j")
        found = log.read(0, 10_000)
        assert found in (records, next_records), f"cut {cut}: {len(found)} of {head} acknowledged"
        made = log.append(_entries(len(found) + 1, 2), {})
        assert [record.sequence for record in made] == [len(found) + 1, len(found) + 2]
        log.close()
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
        log = SqliteLog(folder / "j")
        assert log.read(0, 10_000) in (records, next_records), f"cut at {length}"
        assert (length < end) == (log.bounds().head == len(records))
        log.close()
        shutil.rmtree(folder)
