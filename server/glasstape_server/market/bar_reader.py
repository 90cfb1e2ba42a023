"""Reads of stored bars beside the market thread, so that long ones delay neither publishing nor signals."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.market.database import read_error
from glasstape_server.market.sealed_closes import late_bars

_TRADED = "FROM bars WHERE symbol = ? AND interval = ? AND open > 0"
_COLUMNS = "close_time, open, high, low, close, volume"


@contextmanager
def reading_bars(path: Path) -> "Iterator[BarReader]":
    """Yield a reader of the database of a bar store, and close it at the end.

    Raises:
        Unavailable: the database cannot be read now.
        DataLoss: it is damaged.
    """
    try:
        reader = BarReader(path)
        try:
            yield reader
        finally:
            reader.close()
    except sqlite3.DatabaseError as error:
        raise read_error(error, path) from None


class BarReader:
    """A connection of its own to the database of a bar store; sees what was committed. Halted bars are left out.

    To be used on one thread, and closed there.

    Args:
        path: database of the store.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def count(self, key: SeriesKey, first: int, last: int) -> int:
        """Return the number of bars of a series that close in a range, both ends included."""
        row = self._db.execute(
            f"SELECT count(*) {_TRADED} AND close_time BETWEEN ? AND ?",
            (*key, first, last),
        ).fetchone()
        return int(row[0])

    def closes(self, key: SeriesKey, first: int, last: int, positions: Sequence[int]) -> list[int]:
        """Return the close times of bars of a series by their position in a range.

        Args:
            key: series.
            first: first close time of the range, microseconds.
            last: last close time of the range.
            positions: ascending, 0 = the first bar in the range. Those of bars that were removed meanwhile are left
                out.
        """
        closes: list[int] = []
        start, before = first, 0
        for position in positions:
            row = self._db.execute(
                f"SELECT close_time {_TRADED} AND close_time BETWEEN ? AND ?"
                " ORDER BY close_time LIMIT 1 OFFSET ?",
                (*key, start, last, position - before),
            ).fetchone()
            if row is None:
                break
            closes.append(int(row[0]))
            start, before = closes[-1] + 1, position + 1
        return closes

    def around(self, key: SeriesKey, close_time: int, until: int, after: int) -> tuple[Floats, Floats]:
        """Return the last `until` bars up to a close, and up to `after` bars after it.

        Returns:
            float64 (6, <= until) and (6, <= after), oldest first: close time, open, high, low, close, volume.
        """
        before = self._db.execute(
            f"SELECT {_COLUMNS} {_TRADED} AND close_time <= ? ORDER BY close_time DESC LIMIT ?",
            (*key, close_time, until),
        ).fetchall()
        later = self._db.execute(
            f"SELECT {_COLUMNS} {_TRADED} AND close_time > ? ORDER BY close_time LIMIT ?",
            (*key, close_time, after),
        ).fetchall()
        return _columns(before[::-1]), _columns(later)

    def span(self, key: SeriesKey, first: int, last: int, before: int) -> Floats:
        """Return the bars of a series that close in a range, both ends included, and up to `before` bars before it.

        Returns:
            float64 (6, bar), oldest first: close time, open, high, low, close, volume.
        """
        inside = self._db.execute(
            f"SELECT {_COLUMNS} {_TRADED} AND close_time BETWEEN ? AND ? ORDER BY close_time",
            (*key, first, last),
        ).fetchall()
        earlier = self._db.execute(
            f"SELECT {_COLUMNS} {_TRADED} AND close_time < ? ORDER BY close_time DESC LIMIT ?",
            (*key, first, before),
        ).fetchall()
        return _columns(earlier[::-1] + inside)

    def late_bars(self, interval: str, close_time: int) -> dict[str, set[int]]:
        """Return the bars that are late for a sealed close; see `SealedCloses.late_bars`."""
        return late_bars(self._db, interval, close_time)


def stacked(keys: Sequence[SeriesKey], bars: Sequence[Floats] | Floats, zones: Mapping[str, str]) -> Series:
    """Stack bars of several series of one interval.

    Args:
        keys: series.
        bars: columns of each, (6, bar); equally many bars each.
        zones: IANA zone of each symbol's trading days.

    Returns:
        One series of shape (series, bar).
    """
    columns = bars if isinstance(bars, np.ndarray) else np.stack(bars)
    close_time = columns[:, 0].astype(np.int64)
    session = np.empty_like(close_time)
    names = np.array([zones[key[0]] for key in keys])
    for zone in set(names.tolist()):
        chosen = names == zone
        session[chosen] = sessions(close_time[chosen], keys[0][1], zone)
    return from_columns(close_time, columns[:, 1:].transpose(1, 0, 2), session, names)


def _columns(rows: Sequence[tuple[float, ...]]) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(-1, 6).T
