"""The file of the embedded journal: its tables, its format, and the note beside it of how far it went."""

import os
import secrets
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glasstape_server.domain.errors import DataLoss
from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Bounds, Entry, Key, Record
from glasstape_server.signals.journal.sqlite.chain import NO_CHAIN, first_link, link
from glasstape_server.storage.sqlite import connect, transaction

CHECKED_WHOLE = 64 << 20
"""Bytes up to which a journal is checked page by page when it is opened."""
FORMAT = 2
"""1: the chain covered number and payload alone, and windows and progress had no checksums."""

COLUMNS = "sequence, kind, symbol, interval, model_name, winning, expire_time, payload, chain"
"""Of an event, in the order of `Record`."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, kind INTEGER NOT NULL, symbol TEXT NOT NULL, interval TEXT NOT NULL,
    model_name TEXT NOT NULL, winning REAL NOT NULL, expire_time INTEGER NOT NULL, payload BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_series ON events (kind, symbol, interval, model_name, sequence);
CREATE TABLE IF NOT EXISTS windows (
    sequence INTEGER PRIMARY KEY, digest TEXT NOT NULL, data BLOB NOT NULL, resolved INTEGER NOT NULL DEFAULT 0,
    checksum INTEGER
);
CREATE INDEX IF NOT EXISTS windows_open ON windows (sequence) WHERE resolved = 0;
CREATE TABLE IF NOT EXISTS progress (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, checksum INTEGER,
    PRIMARY KEY (symbol, interval)
) WITHOUT ROWID;
"""


def open_journal(path: Path) -> sqlite3.Connection:
    """The writing connection of a journal, which is made if it is not there.

    Raises:
        DataLoss: it was written by a newer version.
        sqlite3.DatabaseError: this is no journal, or a badly damaged one.
    """
    db = connect(path)
    try:
        _prepare(db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    version = format_of(db)
    if version > FORMAT:
        raise DataLoss(
            "JOURNAL_TOO_NEW",
            f"journal: format {version} is of a newer version; this one reads up to {FORMAT}",
        )
    with transaction(db):  # whoever is killed meanwhile leaves nothing, not half a journal
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        if version == 1:
            _upgrade(db)
        for name, size in (("epoch", 8), ("secret", 32)):
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, secrets.token_bytes(size)))
        db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT.to_bytes(8, "big"),))


def format_of(db: sqlite3.Connection) -> int:
    """1, or what the journal says; 0 for a new one."""
    if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
        return 0
    return int.from_bytes(meta(db, "format"), "big") or 1


def meta(db: sqlite3.Connection, name: str) -> bytes:
    """A value of the journal itself; empty if it is not set."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return b"" if row is None else blob(row[0], name)


def blob(value: object, what: str) -> bytes:
    """Bytes as they were written: a damaged row may hold a text or a number of the same length.

    Raises:
        DataLoss: they are not bytes.
    """
    if not isinstance(value, bytes):
        raise damaged(f"{what} is not what was written")
    return value


def _upgrade(db: sqlite3.Connection) -> None:
    """From format 1. What it wrote stays as it was, so that resume tokens stay good."""
    (head,) = db.execute("SELECT ifnull(max(sequence), 0) FROM events").fetchone()
    for table, columns, key in (
        ("windows", "sequence, digest, data", "sequence = ?1"),
        ("progress", "symbol, interval, close_time", "symbol = ?1 AND interval = ?2"),
    ):
        db.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER")
        for row in db.execute(f"SELECT {columns} FROM {table}").fetchall():  # noqa: S608
            db.execute(f"UPDATE {table} SET checksum = ?4 WHERE {key}", (*row, checksum(*row)))  # noqa: S608
    db.execute("INSERT OR REPLACE INTO meta VALUES ('format', ?)", (FORMAT.to_bytes(8, "big"),))
    db.execute("INSERT OR REPLACE INTO meta VALUES ('first_format_until', ?)", (head.to_bytes(8, "big"),))


def check_pages(db: sqlite3.Connection, path: Path) -> None:
    """Raise DataLoss if SQLite finds a page damaged; large journals are checked as they are read."""
    if path.stat().st_size <= CHECKED_WHOLE:
        (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if said != "ok":
            raise damaged(said)


def bounds_of(db: sqlite3.Connection) -> Bounds:
    """Where a journal begins and ends.

    Raises:
        DataLoss: events are missing in between, or before.
    """
    epoch = meta(db, "epoch")
    first, head = db.execute("SELECT min(sequence), max(sequence) FROM events").fetchone()
    if head is None:
        return Bounds(epoch, 1, 0, NO_CHAIN)
    (count,) = db.execute("SELECT count(*) FROM events").fetchone()
    if count != head - first + 1:
        raise damaged(f"{head - first + 1 - count} events are missing between {first} and {head}")
    if first > 1 and not meta(db, "chain_before"):
        raise damaged(f"the events before {first} are missing")
    newest = db.execute("SELECT chain FROM events WHERE sequence = ?", (head,)).fetchone()
    if newest is None:
        raise damaged(f"event {head} cannot be found")
    return Bounds(epoch, first, head, blob(newest[0], f"the chain at {head}"))


class Linked:
    """Checks records against the chain that they were written with."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.first_format_until = int.from_bytes(meta(db, "first_format_until"), "big")
        """Newest event whose link is of the first format."""
        if format_of(db) == 1:
            (self.first_format_until,) = db.execute("SELECT ifnull(max(sequence), 0) FROM events").fetchone()

    def check(self, before: bytes, record: Record) -> None:
        """Raise DataLoss unless a record is what was written behind `before`."""
        try:
            follows = first_link if record.sequence <= self.first_format_until else link
            intact = follows(before, record) == record.chain
        except (struct.error, TypeError, AttributeError, ValueError):
            intact = False
        if not intact:
            raise damaged(f"event {record.sequence} is not what was written")


def record_of(row: Sequence[Any]) -> Record:
    """An event of its columns.

    Raises:
        DataLoss: it has a kind that there is not.
    """
    try:
        return Record(row[0], Kind(row[1]), *row[2:])
    except ValueError:
        raise damaged(f"event {row[0]} is not what was written") from None


def insert_records(db: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Write events."""
    db.executemany(
        f"INSERT INTO events ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
        (
            (
                r.sequence, int(r.kind), r.symbol, r.interval, r.model_name, r.winning, r.expire_time,
                r.payload, r.chain,
            )
            for r in records
        ),
    )  # fmt: skip


def insert_windows(db: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write the windows of those events that have one."""
    rows = ((e.record.sequence, e.digest, e.window.tobytes()) for e in entries if e.window is not None)
    db.executemany(
        "INSERT INTO windows (sequence, digest, data, checksum) VALUES (?,?,?,?)",
        ((*row, checksum(*row)) for row in rows),
    )


def insert_progress(db: sqlite3.Connection, progress: Mapping[Key, int]) -> None:
    """Write up to which bar each series is signalled."""
    rows = ((*key, time) for key, time in progress.items())
    db.executemany(
        "INSERT OR REPLACE INTO progress VALUES (?,?,?,?)", ((*row, checksum(*row)) for row in rows)
    )


def check_row(noted: int, what: str, *parts: object) -> None:
    """Raise DataLoss unless a row beside the chain, told in words, fits its checksum."""
    if noted != checksum(*parts):
        raise damaged(f"{what} is not what was written")


def note_of(path: Path) -> Path:
    """Where a journal's end is noted."""
    return path.with_name(path.name + "-head")


def damaged(what: str) -> DataLoss:
    """The error of a damaged journal."""
    return DataLoss("JOURNAL_DAMAGED", f"journal: {what}; `glasstape doctor --journal` says more")


def checksum(*parts: object) -> int:
    """CRC-32 of a row beside the chain."""
    return zlib.crc32(b"\0".join(part if isinstance(part, bytes) else repr(part).encode() for part in parts))


class HighWater:
    """How far the journal went, noted beside it: a database that lost its tail does not know that it did.

    Written at every commit and not waited for: after a power cut it may be behind the journal, never ahead.
    """

    _NOTE = struct.Struct(">Q8sI")

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def read(self) -> tuple[int, bytes] | None:
        """Sequence and chain hash; None if nothing legible is noted."""
        raw = os.pread(self._file, self._NOTE.size, 0)
        if len(raw) < self._NOTE.size:
            return None
        sequence, chain, check = self._NOTE.unpack(raw)
        return (sequence, chain) if check == zlib.crc32(raw[:-4]) else None

    def write(self, sequence: int, chain: bytes) -> None:
        """Note it."""
        body = self._NOTE.pack(sequence, chain, 0)[:-4]
        os.pwrite(self._file, body + zlib.crc32(body).to_bytes(4, "big"), 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
