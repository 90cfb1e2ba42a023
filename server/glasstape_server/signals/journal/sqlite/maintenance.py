"""Looking through a journal's file, and saving what can be saved of a damaged one."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.log import Record
from glasstape_server.signals.journal.sqlite.chain import NO_CHAIN
from glasstape_server.signals.journal.sqlite.file import (
    COLUMNS,
    FORMAT,
    HighWater,
    Linked,
    blob,
    checksum,
    damaged,
    format_of,
    insert_records,
    meta,
    note_of,
    open_journal,
    record_of,
)
from glasstape_server.storage.files import install, sync
from glasstape_server.storage.sqlite import UNREADABLE, connect, transaction

Finding = tuple[str, str]
"""("ok" | "warning" | "problem", sentence)."""


def examine(path: Path) -> Iterator[Finding]:
    """Check everything that a journal holds: pages, numbering, chain, windows, progress, and its end.

    A server may be writing it meanwhile.
    """
    if not path.is_file():
        yield "problem", f"{path}: there is no such journal"
        return
    try:
        with closing(connect(path)) as db:
            yield from _findings(path, db)
    except (*UNREADABLE, DataLoss) as error:
        yield "problem", f"{path}: {error}"


def _findings(path: Path, db: sqlite3.Connection) -> Iterator[Finding]:
    version = format_of(db)
    if not 1 <= version <= FORMAT:
        yield "problem", f"{path}: format {version}, this version reads 1 to {FORMAT}"
        return
    foreign = db.execute(
        "SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
    ).fetchall()
    if foreign:  # it would run in our name
        yield "problem", f"{path}: holds what no journal does: {' '.join(map(str, foreign[0]))[:80]}"
        return
    for (said,) in db.execute("PRAGMA integrity_check(10)"):
        if said != "ok":
            yield "problem", f"{path}: {said}"
    db.execute("BEGIN")  # one moment for all that follows
    first, head = db.execute(
        "SELECT ifnull(min(sequence), 1), ifnull(max(sequence), 0) FROM events"
    ).fetchone()
    reader = _Reader(db)
    held = [sequence for (sequence,) in db.execute("SELECT sequence FROM events ORDER BY sequence")]
    broken = [sequence for sequence in held if not reader.intact(sequence)]
    if missing := head - first + 1 - len(held):
        yield "problem", f"{path}: {missing} events are missing between {first} and {head}"
    if broken:
        yield (
            "problem",
            f"{path}: {len(broken)} of events {first} to {head} are damaged; the newest: {broken[-1]}",
        )
    elif not missing:
        yield "ok", f"{path}: events {first} to {head} are what was written"
    for check, *row in db.execute(f"SELECT {reader.checksum}, sequence, digest, data FROM windows"):  # noqa: S608
        if not reader.fits(check, *row):
            sequence = row[0]
            yield "problem", f"{path}: the window of event {sequence} is damaged"
    for check, *row in db.execute(f"SELECT {reader.checksum}, symbol, interval, close_time FROM progress"):  # noqa: S608
        if not reader.fits(check, *row):
            yield "problem", f"{path}: the progress of {row[0]} is damaged"
    yield from _end(path, db, first, head)


class _Reader:
    """Reads events of a journal that may be damaged."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._linked = Linked(db)
        self.first_format_until = self._linked.first_format_until
        self._checked = format_of(db) > 1
        self.checksum = "checksum" if self._checked else "NULL"
        """The column of checksums beside the chain, which the first format had not."""

    def record(self, sequence: int) -> Record:
        """One event, checked.

        Raises:
            DataLoss: it is missing, or not what was written.
            sqlite3.DatabaseError: it cannot be read.
        """
        row = self._db.execute(f"SELECT {COLUMNS} FROM events WHERE sequence = ?", (sequence,)).fetchone()  # noqa: S608
        if row is None:
            raise damaged(f"event {sequence} is missing")
        record = record_of(row)
        self._linked.check(self.chain(sequence - 1), record)
        return record

    def chain(self, sequence: int) -> bytes:
        """Chain hash behind an event, or behind what was removed."""
        row = self._db.execute("SELECT chain FROM events WHERE sequence = ?", (sequence,)).fetchone()
        return (
            blob(row[0], f"the chain at {sequence}")
            if row is not None
            else meta(self._db, "chain_before") or NO_CHAIN
        )

    def intact(self, sequence: int) -> bool:
        """Whether an event is there and what was written."""
        try:
            self.record(sequence)
        except (*UNREADABLE, DataLoss):
            return False
        return True

    def fits(self, noted: int | None, *parts: object) -> bool:
        """Whether a row beside the chain fits its checksum."""
        return not self._checked or noted == checksum(*parts)

    def newest_run(self) -> tuple[int, int]:
        """First and last of the newest unbroken run; (1, 0) if nothing is intact."""
        first, last = 1, 0
        with suppress(*UNREADABLE):
            for (sequence,) in self._db.execute("SELECT sequence FROM events ORDER BY sequence DESC"):
                if last and sequence != first - 1:
                    break
                if self.intact(sequence):
                    first, last = sequence, last or sequence
                elif last:
                    break
        return first, last


def _end(path: Path, db: sqlite3.Connection, first: int, head: int) -> Iterator[Finding]:
    note = note_of(path)
    if not note.is_file():
        return
    with closing(HighWater(note)) as high_water:
        noted = high_water.read()
    if noted is None:
        yield "warning", f"{note}: illegible; the next start writes it anew"
        return
    sequence, chain = noted
    if sequence > head:
        yield (
            "problem",
            f"{path}: it ends at {head} and once ended at {sequence}; the next start begins a new epoch",
        )
    elif sequence >= first:
        held = db.execute("SELECT chain FROM events WHERE sequence = ?", (sequence,)).fetchone()
        if held is not None and blob(held[0], f"the chain at {sequence}") != chain:
            yield (
                "problem",
                f"{path}: event {sequence} was another one once; the next start begins a new epoch",
            )


def repair(path: Path, close_time_of: Callable[[bytes], int]) -> Iterator[Finding]:
    """Keep the newest unbroken run of events in a new journal; a copy of the old one stays beside it.

    What lies before the newest damage cannot be proven and is given up: its tokens answer OUT_OF_RANGE. A
    damaged end is given up, too, and that begins a new epoch at the next start. No server may run.

    Args:
        path: the journal.
        close_time_of: close time of an event's bar, of its encoded bytes: bars are not signalled twice.
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
            found = list(_rescue(old, new, close_time_of))
    except BaseException:
        _remove(draft)
        _remove(kept_as)
        raise
    # The last step: whoever is killed before it leaves the damaged journal where it was.
    sync(draft)
    for file in _files(path)[1:]:
        file.unlink(missing_ok=True)
    install(draft, path)
    yield "ok", f"{kept_as}: the damaged journal, as it was"
    yield from found


def _files(path: Path) -> list[Path]:
    """A database and what may lie beside it."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


def _remove(path: Path) -> None:
    for file in _files(path):
        file.unlink(missing_ok=True)


def _rescue(
    old: sqlite3.Connection, new: sqlite3.Connection, close_time_of: Callable[[bytes], int]
) -> Iterator[Finding]:
    reader = _Reader(old)
    first, last = reader.newest_run()
    with transaction(new) as db:
        for name in ("epoch", "secret"):
            with suppress(*UNREADABLE):
                if value := meta(old, name):
                    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))
        until = min(reader.first_format_until, last).to_bytes(8, "big")
        db.execute("INSERT OR REPLACE INTO meta VALUES ('first_format_until', ?)", (until,))
        closes = _copy_events(reader, db, range(first, last + 1), close_time_of)
        if first > 1:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('chain_before', ?)", (reader.chain(first - 1),))
        _copy_windows(reader, old, db, range(first, last + 1))
        _copy_progress(reader, old, db, closes)
    yield (
        "ok" if first == 1 else "warning",
        f"kept events {first} to {last}, given up {first - 1} before them",
    )


def _copy_events(
    reader: _Reader, new: sqlite3.Connection, sequences: range, close_time_of: Callable[[bytes], int]
) -> dict[tuple[str, str], int]:
    """Copy intact events; returns the newest close time of each series among them."""
    closes: dict[tuple[str, str], int] = {}
    for sequence in sequences:
        record = reader.record(sequence)
        key = (record.symbol, record.interval)
        closes[key] = max(closes.get(key, 0), close_time_of(record.payload))
        insert_records(new, [record])
    return closes


def _copy_windows(
    reader: _Reader, old: sqlite3.Connection, new: sqlite3.Connection, sequences: range
) -> None:
    statement = f"SELECT digest, data, resolved, {reader.checksum} FROM windows WHERE sequence = ?"  # noqa: S608
    for sequence in sequences:
        with suppress(*UNREADABLE):
            row = old.execute(statement, (sequence,)).fetchone()
            if row is not None and reader.fits(row[3], sequence, *row[:2]):
                check = checksum(sequence, *row[:2])
                new.execute("INSERT INTO windows VALUES (?,?,?,?,?)", (sequence, *row[:3], check))


def _copy_progress(
    reader: _Reader, old: sqlite3.Connection, new: sqlite3.Connection, closes: dict[tuple[str, str], int]
) -> None:
    """Progress that is intact, or else what the kept events say; never behind those."""
    intact: dict[tuple[str, str], int] = {}
    with suppress(*UNREADABLE):
        for check, symbol, interval, time in old.execute(
            f"SELECT {reader.checksum}, symbol, interval, close_time FROM progress"  # noqa: S608
        ):
            if reader.fits(check, symbol, interval, time):
                intact[symbol, interval] = time
    for key, close in closes.items():
        intact[key] = max(intact.get(key, 0), close)
    new.executemany(
        "INSERT OR REPLACE INTO progress VALUES (?,?,?,?)",
        [(*key, time, checksum(*key, time)) for key, time in intact.items()],
    )
