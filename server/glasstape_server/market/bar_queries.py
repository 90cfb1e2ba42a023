"""Queries of the bars on disk."""

import sqlite3
from datetime import UTC, datetime

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.domain.errors import AlreadyExists, Violation
from glasstape_server.domain.times import DAY, INTERVALS, SECOND, day_of
from glasstape_server.market import backfill_times
from glasstape_server.market.backfill_times import Backfill
from glasstape_server.market.database import COLUMNS, USABLE
from glasstape_server.market.series_tail import CAPACITY, SeriesTail
from glasstape_server.market.spacing import earliest_overlap


class BarQueries:
    """Queries of a bar store's database.

    Args:
        db: the database.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.instruments: dict[str, Instrument] = {}
        """Instruments by symbol, those of bars that were never described included."""

    def time_zone(self, symbol: str) -> str:
        """Return the IANA zone that decides a symbol's trading days."""
        instrument = self.instruments.get(symbol)
        return "UTC" if instrument is None else instrument.time_zone

    def closes_between(self, key: SeriesKey, first: int, last: int) -> list[int]:
        """Return the close times of stored bars in a range, both ends included, oldest first."""
        rows = self._db.execute(
            "SELECT close_time FROM bars WHERE symbol = ? AND interval = ? AND close_time BETWEEN ? AND ?"
            " ORDER BY close_time",
            (*key, first, last),
        )
        return [row[0] for row in rows]

    def backfills(self, interval: str) -> list[Backfill]:
        """Return the last backfill of each series of an interval."""
        return backfill_times.read(self._db, interval)

    def close_after(self, key: SeriesKey, time: int) -> int | None:
        """Return the close time of the first stored bar after a time; None: there is none."""
        row = self._db.execute(
            "SELECT close_time FROM bars WHERE symbol = ? AND interval = ? AND close_time > ?"
            " ORDER BY close_time LIMIT 1",
            (*key, time),
        ).fetchone()
        return None if row is None else int(row[0])

    def since(self, key: SeriesKey, close_time: int, count: int) -> Floats:
        """Return the first `count` usable bars from `close_time` on, as `until` does."""
        rows = self._db.execute(
            "SELECT close_time, open, high, low, close, volume FROM bars WHERE symbol = ? AND interval = ?"  # noqa: S608
            f" AND close_time >= ? AND {USABLE} ORDER BY close_time LIMIT ?",
            (*key, close_time, count),
        ).fetchall()
        return np.array(rows, dtype=np.float64).reshape(-1, 6).T

    def daily_bounds(self, key: SeriesKey, until: int, days: int) -> list[int]:
        """Return the first and last close of each of the local days up to a time, oldest first.

        Days without bars are left out; a bar that closes at midnight belongs to the day that ends.
        """
        zone, closes = self.time_zone(key[0]), list[int]()
        where = f"FROM bars WHERE symbol = ? AND interval = ? AND {USABLE}"
        oldest = until - days * DAY
        while True:
            row = self._db.execute(
                f"SELECT close_time {where} AND close_time BETWEEN ? AND ? ORDER BY close_time DESC LIMIT 1",
                (*key, oldest, until),
            ).fetchone()
            if row is None:
                return closes[::-1]
            midnight = day_of(row[0] - 1, zone)[0]
            (first,) = self._db.execute(
                f"SELECT close_time {where} AND close_time > ? ORDER BY close_time LIMIT 1",
                (*key, midnight),
            ).fetchone()
            closes += (row[0], first)
            until = midnight

    def unsignaled(self, key: SeriesKey, after: int) -> list[int]:
        """Return the close times of bars after `after` that need a signal, oldest first."""
        rows = self._db.execute(
            "SELECT close_time FROM bars WHERE symbol = ? AND interval = ? AND close_time > ? AND signaled = 1"  # noqa: S608
            f" AND {USABLE} ORDER BY close_time",
            (*key, after),
        )
        return [row[0] for row in rows]

    def previous_session_close(self, key: SeriesKey, close_time: int) -> float | None:
        """Return the last close of an earlier trading day; None: unknown."""
        interval = INTERVALS[key[1]]
        start = close_time  # a daily bar is a session of its own
        if interval < INTERVALS["1d"]:
            start = day_of(close_time - interval, self.time_zone(key[0]))[0] + interval
        row = self._db.execute(
            "SELECT close FROM bars WHERE symbol = ? AND interval = ? AND close_time < ?"
            " ORDER BY close_time DESC LIMIT 1",
            (*key, start),
        ).fetchone()
        return None if row is None else float(row[0])

    def close_range(self, key: SeriesKey) -> tuple[int, int] | None:
        """Return the first and last close of a series; None: no bar is stored."""
        first, last = self._db.execute(
            "SELECT min(close_time), max(close_time) FROM bars WHERE symbol = ? AND interval = ?", key
        ).fetchone()
        return None if first is None else (first, last)

    def check_disjoint(self, symbol: str, new_symbol: str, time_zone: str) -> None:
        """Check that bars of two symbols can be joined: in each interval, those of one end before the others begin.

        Raises:
            AlreadyExists: they overlap.
        """
        for interval in INTERVALS:
            ranges = [self.close_range((name, interval)) for name in (symbol, new_symbol)]
            known = sorted(item for item in ranges if item is not None)
            if len(known) == 2 and earliest_overlap(known[1][0], interval, time_zone) <= known[0][1]:
                first, last = (datetime.fromtimestamp(time / SECOND, UTC).isoformat() for time in known[1])
                rule = (
                    f"has {interval} bars that overlap those of {symbol!r} ({first} to {last} begin before the others "
                    "end); remove the wrong ones first (RemoveBars, `glasstape bars remove`)"
                )
                raise AlreadyExists(
                    "BAR_CONFLICT",
                    f"new_symbol: {new_symbol!r} {rule}",
                    violations=(Violation("new_symbol", rule),),
                    metadata={"symbol": new_symbol},
                )

    def load_tail(self, key: SeriesKey) -> SeriesTail:
        """Return the newest bars of a series."""
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM bars WHERE symbol = ? AND interval = ? ORDER BY close_time DESC LIMIT ?",  # noqa: S608
            (*key, CAPACITY + 1),
        ).fetchall()
        tail = SeriesTail()
        tail.complete = len(rows) <= CAPACITY
        for row in reversed(rows[:CAPACITY]):
            tail.append(Bar(*row))
        return tail
