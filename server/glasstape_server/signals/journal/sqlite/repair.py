"""Repair of a damaged journal's file, and the change of its epoch after a restore."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.signals.journal.records import Record
from glasstape_server.signals.journal.sqlite.damaged_reader import DamagedReader
from glasstape_server.signals.journal.sqlite.examine import Finding
from glasstape_server.signals.journal.sqlite.file import begin_epoch, meta, open_journal, set_meta
from glasstape_server.signals.journal.sqlite.rows import (
    insert_progress,
    insert_records,
    progress_checksum,
    window_checksum,
)
from glasstape_server.storage.files import install, sync
from glasstape_server.storage.sqlite import UNREADABLE, connect, transaction


def begin_history(path: Path) -> None:
    """Give a journal's file that was copied a new epoch: no token of the original may resume in it."""
    with closing(sqlite3.connect(path)) as db, db:
        begin_epoch(db)


def repair(path: Path, close_time_of: Callable[[Record], int]) -> list[Finding]:
    """Keep the newest unbroken run of events in a new journal; a copy of the old one stays beside it.

    What lies before the newest damage cannot be proven and is given up: its tokens answer OUT_OF_RANGE. A
    damaged end is given up, too, and that begins a new epoch at the next start. No server may run.

    Args:
        path: the journal.
        close_time_of: close time of an event's bar, microseconds: bars are not signaled twice.

    Raises:
        OSError, sqlite3.DatabaseError, DataLoss: it cannot be repaired; it is as it was.
    """
    kept_as = next(
        name
        for number in range(1, 1000)
        if not (name := path.with_name(f"{path.name}.damaged-{number}")).exists()
    )
    draft = path.with_name(f"{path.name}.repairing")
    _remove(draft)
    try:
        for name, copy in zip(_files(path), _files(kept_as), strict=True):
            with suppress(FileNotFoundError):
                shutil.copy2(name, copy)
        with closing(connect(path)) as old, closing(open_journal(draft)) as new:
            finding = _rescue(old, new, close_time_of)
    except BaseException:
        _remove(draft)
        _remove(kept_as)
        raise
    # The last step: a process that is killed before it leaves the damaged journal where it was.
    sync(draft)
    for file in _files(path)[1:]:
        file.unlink(missing_ok=True)
    install(draft, path)
    return [("ok", f"{kept_as}: the damaged journal, as it was"), finding]


def _files(path: Path) -> list[Path]:
    """Return a database and what may lie beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def _remove(path: Path) -> None:
    for file in _files(path):
        file.unlink(missing_ok=True)


def _rescue(
    old: sqlite3.Connection, new: sqlite3.Connection, close_time_of: Callable[[Record], int]
) -> Finding:
    reader = DamagedReader(old)
    first, last = reader.newest_run()
    with transaction(new) as db:
        for name in ("epoch", "secret"):
            with suppress(*UNREADABLE):
                if value := meta(old, name):
                    set_meta(db, name, value)
        closes = _copy_events(reader, db, range(first, last + 1), close_time_of)
        if first > 1:
            set_meta(db, "chain_before", reader.chain(first - 1))
        _copy_windows(old, db, range(first, last + 1))
        _copy_progress(old, db, closes)
    return (
        "ok" if first == 1 else "warning",
        f"kept events {first} to {last}, given up {first - 1} before them",
    )


def _copy_events(
    reader: DamagedReader,
    new: sqlite3.Connection,
    sequences: range,
    close_time_of: Callable[[Record], int],
) -> dict[SeriesKey, int]:
    """Copy intact events; returns the newest close time of each series among them."""
    closes: dict[SeriesKey, int] = {}
    for sequence in sequences:
        record = reader.record(sequence)
        key = (record.symbol, record.interval)
        closes[key] = max(closes.get(key, 0), close_time_of(record))
        insert_records(new, [record])
    return closes


def _copy_windows(old: sqlite3.Connection, new: sqlite3.Connection, sequences: range) -> None:
    statement = "SELECT sequence, data, resolved, checksum FROM windows WHERE sequence = ?"
    for sequence in sequences:
        with suppress(*UNREADABLE):
            row = old.execute(statement, (sequence,)).fetchone()
            if row is not None and row[3] == window_checksum(*row[:2]):
                new.execute("INSERT INTO windows VALUES (?,?,?,?)", row)


def _copy_progress(old: sqlite3.Connection, new: sqlite3.Connection, closes: dict[SeriesKey, int]) -> None:
    """Write progress that is intact, or else what the kept events prove; never behind those."""
    progress: dict[SeriesKey, int] = {}
    with suppress(*UNREADABLE):
        for check, symbol, interval, time in old.execute(
            "SELECT checksum, symbol, interval, close_time FROM progress"
        ):
            if check == progress_checksum(symbol, interval, time):
                progress[symbol, interval] = time
    for key, close in closes.items():
        progress[key] = max(progress.get(key, 0), close)
    insert_progress(new, progress)
