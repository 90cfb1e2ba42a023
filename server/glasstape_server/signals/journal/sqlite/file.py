"""The file of the embedded journal: its tables and its format."""

import secrets
import sqlite3
from pathlib import Path

from glasstape_server.domain.errors import DataLoss
from glasstape_server.signals.journal.chain import NO_CHAIN
from glasstape_server.signals.journal.records import Bounds
from glasstape_server.signals.journal.sqlite.rows import blob, damaged
from glasstape_server.storage.sqlite import connect, transaction

FORMAT = 3
"""Of the file. Nothing was released with an earlier one."""
CHECKED_WHOLE = 64 << 20
"""Bytes up to which a journal is checked page by page when it is opened."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS models (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
    feature_spec_hash TEXT NOT NULL, UNIQUE (digest, name, version, feature_spec_hash)
);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY, event_id BLOB NOT NULL, kind INTEGER NOT NULL, symbol TEXT NOT NULL,
    interval TEXT NOT NULL, model INTEGER NOT NULL, winning REAL NOT NULL, expire_time INTEGER NOT NULL,
    payload BLOB NOT NULL, chain BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_series ON events (kind, symbol, interval, model, sequence);
CREATE TABLE IF NOT EXISTS windows (
    sequence INTEGER PRIMARY KEY, data BLOB NOT NULL, resolved INTEGER NOT NULL DEFAULT 0,
    checksum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS windows_open ON windows (sequence) WHERE resolved = 0;
CREATE TABLE IF NOT EXISTS progress (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (symbol, interval)
) WITHOUT ROWID;
"""


def open_journal(path: Path) -> sqlite3.Connection:
    """Return the writing connection of a journal, which is made if it is not there.

    Raises:
        DataLoss: it has a format that this version does not read.
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
    if version is not None and version > FORMAT:
        raise DataLoss(
            "JOURNAL_TOO_NEW", f"journal: format {version}, expected {FORMAT}: a newer version wrote it"
        )
    if version not in (None, FORMAT):
        raise damaged(f"format {version}, expected {FORMAT}")
    with transaction(db):  # a process that is killed meanwhile leaves nothing, not half a journal
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        for name, size in (("epoch", 8), ("secret", 32)):
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, secrets.token_bytes(size)))
        db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (FORMAT.to_bytes(8, "big"),))


def format_of(db: sqlite3.Connection) -> int | None:
    """Return the format of a journal; None for a file without tables."""
    if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]:
        return None
    return int.from_bytes(meta(db, "format"), "big")


def meta(db: sqlite3.Connection, name: str) -> bytes:
    """Return a value of the journal itself; empty if it is not set."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return b"" if row is None else blob(row[0], name)


def set_meta(db: sqlite3.Connection, name: str, value: bytes) -> None:
    """Set a value of the journal itself."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def begin_epoch(db: sqlite3.Connection) -> bytes:
    """Store a new epoch and return it: tokens of the old one no longer resume."""
    epoch = secrets.token_bytes(8)
    set_meta(db, "epoch", epoch)
    return epoch


def check_pages(db: sqlite3.Connection, path: Path) -> None:
    """Raise DataLoss if SQLite finds a page damaged; large journals are checked as they are read."""
    if path.stat().st_size <= CHECKED_WHOLE:
        (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise damaged(verdict)


def bounds_of(db: sqlite3.Connection) -> Bounds:
    """Return where a journal begins and ends.

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
