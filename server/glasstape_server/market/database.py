"""The tables of the bar store: bars, instruments and the values that corrections replaced."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from glasstape_server.domain.bars import Bar, SeriesKey
from glasstape_server.domain.errors import DataLoss, GlasstapeError, ResourceExhausted
from glasstape_server.storage.sqlite import connect

FORMAT = 1
"""Version of the tables, kept in `PRAGMA user_version`."""
COLUMNS = "symbol, interval, close_time, open, high, low, close, volume"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL,
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL,
    signaled INTEGER NOT NULL, PRIMARY KEY (symbol, interval, close_time)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instruments (
    symbol TEXT PRIMARY KEY, name TEXT NOT NULL, local_name TEXT NOT NULL, exchange TEXT NOT NULL,
    time_zone TEXT NOT NULL, currency TEXT NOT NULL, tick_size REAL, price_decimals INTEGER,
    price_limit REAL, sector TEXT NOT NULL DEFAULT '', industry TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS corrections (
    symbol TEXT NOT NULL, interval TEXT NOT NULL, close_time INTEGER NOT NULL, corrected_time INTEGER NOT NULL,
    open REAL NOT NULL, high REAL NOT NULL, low REAL NOT NULL, close REAL NOT NULL, volume REAL NOT NULL
);
"""


def open_bars(path: Path) -> sqlite3.Connection:
    """Return the connection of a bar store, which is made if it is not there.

    Raises:
        DataLoss: another version made it.
        sqlite3.DatabaseError: it is no database, or a badly damaged one.
    """
    db = connect(path)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and version != FORMAT:
            raise DataLoss("BARS_DAMAGED", f"{path.name}: format {version}, expected {FORMAT}")
        db.executescript(f"{_SCHEMA} PRAGMA user_version = {FORMAT};")
    except BaseException:
        db.close()
        raise
    return db


def replace_bars(db: sqlite3.Connection, corrections: Sequence[tuple[object, ...]], now: int) -> None:
    """Replace values of stored bars, and keep the replaced ones.

    Args:
        db: the bar store, in a transaction.
        corrections: symbol, interval, close time, five replaced values and five new ones of each bar.
        now: market time of the correction, in microseconds.
    """
    db.executemany(
        "INSERT INTO corrections VALUES (?,?,?,?,?,?,?,?,?)",
        [(*row[:3], now, *row[3:8]) for row in corrections],
    )
    db.executemany(
        "UPDATE bars SET open = ?, high = ?, low = ?, close = ?, volume = ?"
        " WHERE symbol = ? AND interval = ? AND close_time = ?",
        [(*row[8:], *row[:3]) for row in corrections],
    )


def replaced_bars(db: sqlite3.Connection, key: SeriesKey) -> list[tuple[int, Bar]]:
    """Return the replaced bars of a series, each with the market time of its correction, oldest first."""
    rows = db.execute(
        "SELECT corrected_time, symbol, interval, close_time, open, high, low, close, volume FROM corrections"
        " WHERE symbol = ? AND interval = ? ORDER BY rowid",
        key,
    )
    return [(row[0], Bar(*row[1:])) for row in rows]


def storage_error(error: sqlite3.DatabaseError) -> GlasstapeError:
    """Return the publisher's error for one of SQLite."""
    if isinstance(error, sqlite3.OperationalError):
        return ResourceExhausted("STORAGE_FULL", f"bars cannot be stored: {error}", retry_after=5.0)
    return DataLoss("BARS_DAMAGED", f"bars cannot be stored: {error}")
