"""Closes of stored bars with trades."""

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl

from glasstape_server.market.database import USABLE, read_error


def traded_closes(path: Path, interval: str) -> pl.DataFrame:
    """Return the closes of all bars of an interval that windows are made of.

    Args:
        path: database of a bar store, which a server may be writing.
        interval: of the bars.

    Returns:
        Columns symbol, close_time (microseconds) and close, ordered by symbol and time.

    Raises:
        Unavailable: the database cannot be read now.
        DataLoss: it is damaged.
    """
    wanted = f"SELECT symbol, close_time, close FROM bars WHERE interval = ? AND {USABLE} ORDER BY symbol, close_time"  # noqa: S608
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
            rows = db.execute(wanted, (interval,)).fetchall()
    except sqlite3.DatabaseError as error:
        raise read_error(error, path) from None
    schema = {"symbol": pl.String, "close_time": pl.Int64, "close": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
