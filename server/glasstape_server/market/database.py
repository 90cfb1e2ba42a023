"""The database of the bar store: bars, instruments and corrections."""

import sqlite3
from pathlib import Path

from glasstape_server.domain.errors import DataLoss, GlasstapeError, ResourceExhausted, Unavailable
from glasstape_server.market import backfill_times, corrections
from glasstape_server.storage.sqlite import connect, is_transient

FORMAT = 1
"""Version of the tables, kept in `PRAGMA user_version`."""
USABLE = "open > 0 AND NOT (volume = 0 AND high = low)"
"""Condition of rows that windows are made of, as `Bar.usable`."""
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
        corrections.create_table(db)
        backfill_times.create_table(db)
    except BaseException:
        db.close()
        raise
    return db


def storage_error(error: sqlite3.DatabaseError) -> GlasstapeError:
    """Return the publisher's error for one of SQLite."""
    if isinstance(error, sqlite3.OperationalError):
        return ResourceExhausted("STORAGE_FULL", f"bars cannot be stored: {error}", retry_after=5.0)
    return DataLoss("BARS_DAMAGED", f"bars cannot be stored: {error}")


def read_error(error: sqlite3.DatabaseError, path: Path) -> GlasstapeError:
    """Return the caller's error for one of SQLite while the bars of a database are read."""
    if is_transient(error) or not path.exists():
        return Unavailable(
            "JOURNAL_UNAVAILABLE", f"bars cannot be read now: {path}: {error}", retry_after=1.0
        )
    return DataLoss("BARS_DAMAGED", f"bars cannot be read: {path}: {error}")
