"""The bar store: SQLite on disk, the newest bars in memory.

All methods run on one thread (the market thread), so that publishing and reading need no lock. A batch is in
memory only after its transaction is on disk.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.domain.limits import MAX_TIME
from glasstape_server.domain.times import DAY, INTERVALS, day_of
from glasstape_server.features.series import Series, from_columns, sessions
from glasstape_server.market.database import COLUMNS, open_bars, replace_bars, replaced_bars, storage_error
from glasstape_server.market.draft import Batch, Draft, Report
from glasstape_server.market.series_tail import CAPACITY, SeriesTail
from glasstape_server.storage.fence import Fence, Holder
from glasstape_server.storage.sqlite import probe_write, transaction


class BarStore:
    """Bars by symbol, interval and close time.

    Args:
        path: database; created if necessary.
        interval: bar interval to publish signals for.
        lease: of the data folder; None: no other process can use the database.

    Raises:
        DataLoss: another version made the database.
        sqlite3.DatabaseError: it is no database, or a badly damaged one.
    """

    def __init__(self, path: Path, interval: str = "1d", *, lease: Holder | None = None) -> None:
        self.interval = interval
        """Bar interval to publish signals for."""
        self._db = open_bars(path)
        self._fence = Fence(self._db, lease)
        self._tails: dict[SeriesKey, SeriesTail] = {}
        self._forming: dict[SeriesKey, Bar] = {}
        self.instruments: dict[str, Instrument] = {}
        for row in self._db.execute("SELECT * FROM instruments"):
            self.instruments[row[0]] = Instrument(*row)
        for key in self._db.execute("SELECT DISTINCT symbol, interval FROM bars").fetchall():
            self._tails[key] = self._load_tail(key)
            self.instruments.setdefault(key[0], Instrument(key[0]))

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def publish(self, batches: Sequence[Batch], now: int = MAX_TIME) -> list[Report]:
        """Store several batches in one transaction; on return they are on disk.

        Args:
            batches: what to store.
            now: market time in microseconds; bars that close later than the next close are rejected.

        Raises:
            ResourceExhausted: the disk rejected the write; nothing of these batches was stored.
            DataLoss: the database is damaged.
            Unavailable: the lease of the data folder was lost; what was stored must not be acknowledged.
        """
        draft = Draft(self, now)
        reports = [draft.take(batch) for batch in batches]
        try:
            with transaction(self._db):
                self._fence.check_transaction()
                self._db.executemany(
                    "INSERT OR REPLACE INTO instruments VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                    draft.instrument_rows(),
                )
                self._db.executemany(
                    f"INSERT INTO bars ({COLUMNS}, signaled) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
                    draft.rows,
                )
                replace_bars(self._db, draft.corrections, now)
        except sqlite3.DatabaseError as error:
            raise storage_error(error) from None
        self._apply(draft)
        self._fence.check_acknowledgment()
        return reports

    def probe_write(self) -> None:
        """Commit a write that changes nothing.

        Raises:
            ResourceExhausted: the disk rejects writes.
            DataLoss: the database is damaged.
        """
        try:
            probe_write(self._db)
        except sqlite3.DatabaseError as error:
            raise storage_error(error) from None

    def tail(self, key: SeriesKey) -> SeriesTail | None:
        """Return the newest bars of a series; None: no bar."""
        return self._tails.get(key)

    def forming(self, key: SeriesKey) -> Bar | None:
        """Return the newest provisional bar of a series; None: there is none after its last final bar."""
        return self._forming.get(key)

    def time_zone(self, symbol: str) -> str:
        """Return the IANA zone that decides a symbol's trading days."""
        instrument = self.instruments.get(symbol)
        return "UTC" if instrument is None else instrument.time_zone

    def close_between(self, key: SeriesKey, start: int, end: int) -> int | None:
        """Return the close time of a stored bar with start <= close < end; None: there is none."""
        row = self._db.execute(
            "SELECT close_time FROM bars WHERE symbol = ? AND interval = ? AND close_time >= ? AND close_time < ?",
            (*key, start, end),
        ).fetchone()
        return None if row is None else int(row[0])

    def values_at(self, key: SeriesKey, close_time: int) -> tuple[float, ...] | None:
        """Return open, high, low, close and volume of a stored bar; None: there is none."""
        tail = self._tails.get(key)
        if tail is not None and tail.last_close_time == close_time:
            return tail.last_values
        row = self._db.execute(
            "SELECT open, high, low, close, volume FROM bars WHERE symbol = ? AND interval = ? AND close_time = ?",
            (*key, close_time),
        ).fetchone()
        return None if row is None else tuple(row)

    def symbols(self) -> list[str]:
        """Return the known symbols in order."""
        return sorted(self.instruments)

    def series_keys(self, interval: str) -> list[SeriesKey]:
        """Return the keys of all series of one interval that have bars."""
        return [key for key in self._tails if key[1] == interval]

    def last_close(self, key: SeriesKey) -> int | None:
        """Return the close time of the newest final bar that is not halted; None: no bar."""
        tail = self._tails.get(key)
        columns = tail.columns() if tail else None
        return int(columns[0, -1]) if columns is not None and columns.shape[1] else None

    def until(self, key: SeriesKey, close_time: int, count: int) -> Floats:
        """Return the last `count` bars up to `close_time`, without halted ones.

        Returns:
            float64 (6, <= count), oldest first: close time (microseconds), open, high, low, close, volume.
        """
        tail = self._tails.get(key)
        if tail is None:
            return np.empty((6, 0))
        columns = tail.until(close_time, count)
        if columns is None:
            rows = self._db.execute(
                "SELECT close_time, open, high, low, close, volume FROM bars WHERE symbol = ? AND interval = ?"
                " AND close_time <= ? AND open > 0 ORDER BY close_time DESC LIMIT ?",
                (*key, close_time, count),
            ).fetchall()
            columns = np.array(rows[::-1], dtype=np.float64).reshape(-1, 6).T
        return columns

    def since(self, key: SeriesKey, close_time: int, count: int) -> Floats:
        """Return the first `count` bars from `close_time` on, without halted ones, as `until` does."""
        rows = self._db.execute(
            "SELECT close_time, open, high, low, close, volume FROM bars WHERE symbol = ? AND interval = ?"
            " AND close_time >= ? AND open > 0 ORDER BY close_time LIMIT ?",
            (*key, close_time, count),
        ).fetchall()
        return np.array(rows, dtype=np.float64).reshape(-1, 6).T

    def daily_bounds(self, key: SeriesKey, until: int, days: int) -> list[int]:
        """Return the first and last close of each of the local days up to a time, oldest first.

        Days without bars are left out; a bar that closes at midnight belongs to the day that ends.
        """
        zone, closes = self.time_zone(key[0]), list[int]()
        where = "FROM bars WHERE symbol = ? AND interval = ? AND open > 0"
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
            "SELECT close_time FROM bars WHERE symbol = ? AND interval = ? AND close_time > ? AND signaled = 1"
            " AND open > 0 ORDER BY close_time",
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

    def list_bars(self, key: SeriesKey, start: int, end: int, count: int) -> list[Bar]:
        """Return final bars in a range of close times, oldest first, then the forming one if it fits.

        Args:
            key: series.
            start: first close time, in microseconds.
            end: last close time.
            count: bars at most.
        """
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM bars WHERE symbol = ? AND interval = ? AND close_time BETWEEN ? AND ?"  # noqa: S608
            " ORDER BY close_time LIMIT ?",
            (*key, start, end, count),
        )
        bars = [Bar(*row) for row in rows]
        forming = self._forming.get(key)
        if forming is not None and start <= forming.close_time <= end and len(bars) < count:
            bars.append(forming)
        return bars

    def stack(self, keys: Sequence[SeriesKey], bars: Sequence[Floats]) -> Series:
        """Stack bars of several series of one interval.

        Args:
            keys: series.
            bars: columns of each, (6, bar) as `until` returns them; equally many bars each.

        Returns:
            One series of shape (series, bar).
        """
        columns = np.stack(bars)
        close_time = columns[:, 0].astype(np.int64)
        session = np.empty_like(close_time)
        zones = np.array([self.instruments[key[0]].time_zone for key in keys])
        for zone in np.unique(zones):
            chosen = zones == zone
            session[chosen] = sessions(close_time[chosen], keys[0][1], str(zone))
        return from_columns(close_time, columns[:, 1:].transpose(1, 0, 2), session)

    def corrections(self, key: SeriesKey) -> list[tuple[int, Bar]]:
        """Return the replaced bars of a series, each with the market time of its correction, oldest first."""
        return replaced_bars(self._db, key)

    def _apply(self, draft: Draft) -> None:
        self.instruments.update(draft.instruments)
        self._forming.update(draft.forming)
        for key, bars in draft.appended.items():
            self.instruments.setdefault(key[0], Instrument(key[0]))
            tail = self._tails.setdefault(key, SeriesTail())
            for bar in bars:
                tail.append(bar)
            forming = self._forming.get(key)
            if forming is not None and forming.close_time <= tail.last_close_time:
                del self._forming[key]
        for key in draft.changed:
            self.instruments.setdefault(key[0], Instrument(key[0]))
            self._tails[key] = self._load_tail(key)

    def _load_tail(self, key: SeriesKey) -> SeriesTail:
        rows = self._db.execute(
            f"SELECT {COLUMNS} FROM bars WHERE symbol = ? AND interval = ? ORDER BY close_time DESC LIMIT ?",  # noqa: S608
            (*key, CAPACITY + 1),
        ).fetchall()
        tail = SeriesTail()
        tail.complete = len(rows) <= CAPACITY
        for row in reversed(rows[:CAPACITY]):
            tail.append(Bar(*row))
        return tail
