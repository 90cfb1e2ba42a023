"""Corrections of stored bars: what was replaced, removed or renamed, when, by whom, and the old values.

Every function runs within the caller's transaction: a correction and its entry are on disk together.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from glasstape_server.domain.bars import Bar, SeriesKey


class CorrectionKind(IntEnum):
    """What a correction did. Values as on the wire and in the database."""

    REPLACED = 1
    REMOVED = 2
    RENAMED = 3


@dataclass(frozen=True, slots=True)
class Correction:
    """One entry of the journal of corrections."""

    number: int
    """Position in the journal, from 1."""
    kind: CorrectionKind
    time: int
    """Market time at which it was made, microseconds since 1970, UTC."""
    principal: str
    """Name of the caller that made it."""
    symbol: str
    bar: Bar | None
    """The bar as it was before; None: a symbol was renamed."""
    new_symbol: str = ""


@dataclass(frozen=True, slots=True)
class Replacement:
    """New values of a stored bar."""

    bar: Bar
    old: tuple[float, ...]
    """Open, high, low, close and volume before."""
    principal: str


_SCHEMA = """
CREATE TABLE IF NOT EXISTS corrections (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, corrected_time INTEGER NOT NULL,
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
    kind INTEGER NOT NULL DEFAULT 1, principal TEXT NOT NULL DEFAULT '', new_symbol TEXT NOT NULL DEFAULT ''
);
"""
_ADDED = {
    "kind": "INTEGER NOT NULL DEFAULT 1",
    "principal": "TEXT NOT NULL DEFAULT ''",
    "new_symbol": "TEXT NOT NULL DEFAULT ''",
}
"""Columns that databases of earlier versions lack."""
_INSERT = (
    "INSERT INTO corrections (symbol, interval, close_time, corrected_time, open, high, low, close, volume, kind,"
    " principal, new_symbol)"
)


def create_table(db: sqlite3.Connection) -> None:
    """Create the table of corrections, or extend the one of an earlier version."""
    db.execute(_SCHEMA)
    known = {row[1] for row in db.execute("PRAGMA table_info(corrections)")}
    for name, kind in _ADDED.items():
        if name not in known:
            db.execute(f"ALTER TABLE corrections ADD COLUMN {name} {kind}")


def replace(db: sqlite3.Connection, replacements: Sequence[Replacement], now: int) -> None:
    """Replace the values of stored bars.

    Args:
        db: the bar store, in a transaction.
        replacements: in the order in which they were sent.
        now: market time, in microseconds.
    """
    db.executemany(
        f"{_INSERT} VALUES (?,?,?,?,?,?,?,?,?,?,?,'')",
        [(*_key(item.bar), now, *item.old, CorrectionKind.REPLACED, item.principal) for item in replacements],
    )
    db.executemany(
        "UPDATE bars SET open = ?, high = ?, low = ?, close = ?, volume = ?"
        " WHERE symbol = ? AND interval = ? AND close_time = ?",
        [(*item.bar.values, *_key(item.bar)) for item in replacements],
    )


def remove(db: sqlite3.Connection, key: SeriesKey, first: int, last: int, now: int, principal: str) -> int:
    """Remove the bars of a series that close in a range, both ends included; return how many."""
    where = "FROM bars WHERE symbol = ? AND interval = ? AND close_time BETWEEN ? AND ?"
    db.execute(
        f"{_INSERT} SELECT symbol, interval, close_time, ?, open, high, low, close, volume, ?, ?, '' {where}"
        " ORDER BY close_time",
        (now, CorrectionKind.REMOVED, principal, *key, first, last),
    )
    return db.execute(f"DELETE {where}", (*key, first, last)).rowcount


def rename(db: sqlite3.Connection, symbol: str, new_symbol: str, now: int, principal: str) -> int:
    """Move the bars of a symbol to another one; return how many.

    Moved bars are marked as needing no signal: those that were signaled would be signaled again.
    """
    db.execute(
        f"{_INSERT} VALUES (?, '', 0, ?, 0, 0, 0, 0, 0, ?, ?, ?)",
        (symbol, now, CorrectionKind.RENAMED, principal, new_symbol),
    )
    return db.execute(
        "UPDATE bars SET symbol = ?, signaled = 0 WHERE symbol = ?", (new_symbol, symbol)
    ).rowcount


def list_corrections(db: sqlite3.Connection, symbol: str, after: int, count: int) -> list[Correction]:
    """Return corrections, oldest first.

    Args:
        db: the bar store.
        symbol: only those of a symbol, renames to it included; "" for all.
        after: number of the last correction to leave out.
        count: corrections at most.
    """
    rows = db.execute(
        "SELECT rowid, kind, corrected_time, principal, new_symbol, symbol, interval, close_time, open, high, low,"
        " close, volume FROM corrections WHERE rowid > ?2 AND (?1 = '' OR symbol = ?1 OR new_symbol = ?1)"
        " ORDER BY rowid LIMIT ?3",
        (symbol, after, count),
    )
    return [
        Correction(
            number, CorrectionKind(kind), time, principal, bar[0],
            None if kind == CorrectionKind.RENAMED else Bar(*bar), new_symbol,
        )
        for number, kind, time, principal, new_symbol, *bar in rows
    ]  # fmt: skip


def _key(bar: Bar) -> tuple[str, str, int]:
    return (bar.symbol, bar.interval, bar.close_time)
