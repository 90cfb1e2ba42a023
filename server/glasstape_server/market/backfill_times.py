"""When backfills came, kept with the bars: how fresh they are is the same after a restart."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from glasstape_server.domain.bars import SeriesKey

_SCHEMA = """
CREATE TABLE IF NOT EXISTS backfills (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, arrival INTEGER NOT NULL,
    PRIMARY KEY (symbol, interval)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Backfill:
    """The last backfill that a series began or went on with. Microseconds since 1970, UTC."""

    symbol: str
    close_time: int
    """Close of its newest bar."""
    arrival: int
    """Market time at which it came."""


def create_table(db: sqlite3.Connection) -> None:
    """Create the table, which databases of earlier versions lack."""
    db.execute(_SCHEMA)


def note(db: sqlite3.Connection, closes: Mapping[SeriesKey, int], arrival: int) -> None:
    """Note backfills, within the transaction that stores their bars.

    Args:
        db: the database.
        closes: close of each series' newest bar, which is newer than any stored before.
        arrival: market time.
    """
    rows = ((*key, close, arrival) for key, close in closes.items())
    db.executemany("INSERT OR REPLACE INTO backfills VALUES (?,?,?,?)", rows)


def rename(db: sqlite3.Connection, symbol: str, new_symbol: str) -> None:
    """Move the backfills of a symbol to another one, within the transaction that moves its bars."""
    db.execute("UPDATE OR REPLACE backfills SET symbol = ? WHERE symbol = ?", (new_symbol, symbol))


def read(db: sqlite3.Connection, interval: str) -> list[Backfill]:
    """Return the last backfill of each series of an interval."""
    rows = db.execute("SELECT symbol, close_time, arrival FROM backfills WHERE interval = ?", (interval,))
    return [Backfill(*row) for row in rows]
