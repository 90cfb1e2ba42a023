"""What is stored of each symbol and interval: how many bars, how old the newest one is, and whether it is retired."""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.times import INTERVALS
from glasstape_server.market.clock import inactive_after
from glasstape_server.market.database import read_error
from glasstape_server.market.store import BarStore


@dataclass(frozen=True, slots=True)
class SeriesEnd:
    """Where a series ends."""

    key: SeriesKey
    last_close: int
    """Close time of the newest final bar, microseconds since 1970, UTC."""
    retired: bool
    """Whether other series of its interval went on without it; such a series does not count for the freshness of
    market data."""


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """How much of a series is stored."""

    bars: int
    """Final bars, halted ones included."""
    first_close: int
    """Close time of the oldest one, microseconds since 1970, UTC."""


def series_ends(store: BarStore, symbol: str, after: SeriesKey, count: int) -> list[SeriesEnd]:
    """Return where series end, ordered by symbol and interval. Runs on the market thread.

    Args:
        store: bars.
        symbol: only its series; "" for those of all symbols.
        after: key of the last series to leave out.
        count: series at most.
    """
    closes = {
        key: tail.last_close_time
        for interval in INTERVALS
        for key in store.series_keys(interval)
        if (tail := store.tail(key)) is not None
    }
    newest: dict[str, int] = {}
    for (_, interval), close in closes.items():
        newest[interval] = max(close, newest.get(interval, 0))
    keys = sorted(key for key in closes if symbol in ("", key[0]))
    return [
        SeriesEnd(key, closes[key], closes[key] <= newest[key[1]] - inactive_after(INTERVALS[key[1]]))
        for key in keys[bisect_right(keys, after) :][:count]
    ]


def count_bars(path: Path, keys: Sequence[SeriesKey]) -> list[SeriesCount]:
    """Return how many bars of each series are stored. Runs on any thread: counting reads all of them.

    Args:
        path: database of the store.
        keys: series.

    Raises:
        Unavailable: the database cannot be read now.
        DataLoss: it is damaged.
    """
    counted = "SELECT count(*), min(close_time) FROM bars WHERE symbol = ? AND interval = ?"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            rows = [db.execute(counted, key).fetchone() for key in keys]
    except sqlite3.DatabaseError as error:
        raise read_error(error, path) from None
    return [SeriesCount(count, first or 0) for count, first in rows]
