"""The bar store: SQLite on disk, the newest bars in memory.

All methods run on one thread (the market thread), so that publishing and reading need no lock. A batch is in
memory only after its transaction is on disk.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.domain.errors import NotFound
from glasstape_server.domain.limits import MAX_TIME
from glasstape_server.domain.times import INTERVALS
from glasstape_server.features.series import Series
from glasstape_server.market import backfill_times, corrections
from glasstape_server.market.bar_queries import BarQueries
from glasstape_server.market.bar_reader import stacked
from glasstape_server.market.database import COLUMNS, USABLE, open_bars, storage_error
from glasstape_server.market.draft import Batch, Draft, Report
from glasstape_server.market.instruments import InstrumentBook
from glasstape_server.market.sealed_closes import SealedCloses
from glasstape_server.market.series_tail import SeriesTail
from glasstape_server.storage.fence import Fence, Holder
from glasstape_server.storage.sqlite import probe_write, transaction


class BarStore(BarQueries):
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
        super().__init__(open_bars(path))
        self._fence = Fence(self._db, lease)
        self.path = path
        self.before_commit: Callable[[sqlite3.Connection], None] = lambda db: None
        """Called within every transaction, with what else it has to write."""
        self._tails: dict[SeriesKey, SeriesTail] = {}
        self._forming: dict[SeriesKey, Bar] = {}
        self._book = InstrumentBook(self._db)
        self.closes = SealedCloses(self._db, self.writing)
        self.instruments = self._book.known
        for key in self._db.execute("SELECT DISTINCT symbol, interval FROM bars").fetchall():
            self._tails[key] = self.load_tail(key)
        self._book.add(key[0] for key in self._tails)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def publish(self, batches: Sequence[Batch], now: int = MAX_TIME) -> list[Report]:
        """Store several batches in one transaction; on return they are on disk.

        Args:
            batches: what to store.
            now: market time in microseconds; final bars that have not closed by then are rejected.

        Raises:
            ResourceExhausted: the disk rejected the write; nothing of these batches was stored.
            DataLoss: the database is damaged.
            Unavailable: the lease of the data folder was lost; what was stored must not be acknowledged.
        """
        draft = Draft(self, now)
        reports = [draft.take(batch) for batch in batches]
        with self.writing():
            self._book.write(draft.instruments.values())
            self._db.executemany(
                f"INSERT INTO bars ({COLUMNS}, signaled) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
                draft.rows,
            )
            corrections.replace(self._db, draft.replacements, now)
            backfill_times.note(self._db, draft.backfilled, now)
            self.closes.note_stored(draft.rows, draft.replacements)
            replaced = {(item.bar.symbol, item.bar.interval) for item in draft.replacements}
            learned = self._book.learn(draft.counts(), draft.instruments, replaced)
        self._apply(draft)
        self._book.apply(draft.instruments, learned, {key[0] for key in (*draft.appended, *draft.changed)})
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

    def stated(self, symbol: str) -> Instrument:
        """Return what publishers stated about a symbol."""
        return self._book.stated(symbol)

    def unusable_between(self, key: SeriesKey, first: int, last: int) -> int:
        """Return the number of bars with first < close < last that are in no window: halted, or without trades."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM bars WHERE symbol = ? AND interval = ? AND close_time > ? AND close_time < ?"  # noqa: S608
            f" AND NOT ({USABLE})",
            (*key, first, last),
        ).fetchone()
        return int(row[0])

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
        """Return the close time of the newest usable bar; None: no bar."""
        tail = self._tails.get(key)
        columns = tail.columns() if tail else None
        return int(columns[0, -1]) if columns is not None and columns.shape[1] else None

    def until(self, key: SeriesKey, close_time: int, count: int) -> Floats:
        """Return the last `count` usable bars up to `close_time`.

        Returns:
            float64 (6, <= count), oldest first: close time (microseconds), open, high, low, close, volume.
        """
        tail = self._tails.get(key)
        if tail is None:
            return np.empty((6, 0))
        columns = tail.until(close_time, count)
        if columns is None:
            rows = self._db.execute(
                "SELECT close_time, open, high, low, close, volume FROM bars WHERE symbol = ? AND interval = ?"  # noqa: S608
                f" AND close_time <= ? AND {USABLE} ORDER BY close_time DESC LIMIT ?",
                (*key, close_time, count),
            ).fetchall()
            columns = np.array(rows[::-1], dtype=np.float64).reshape(-1, 6).T
        return columns

    def newest(self, keys: Sequence[SeriesKey], close_time: Ints, count: int) -> Floats:
        """Return the last `count` usable bars of many series, each up to a close.

        Returns:
            float64 (series, 6, count) as `until` returns those of one; right-aligned, NaN where a series has fewer.
        """
        bars = np.empty((len(keys), 6, count))
        for row, (key, time) in enumerate(zip(keys, close_time.tolist(), strict=True)):
            columns = self.until(key, time, count)
            bars[row, :, count - columns.shape[1] :] = columns
            bars[row, :, : count - columns.shape[1]] = np.nan
        return bars

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

    def stack(self, keys: Sequence[SeriesKey], bars: Sequence[Floats] | Floats) -> Series:
        """Stack bars of several series of one interval.

        Args:
            keys: series.
            bars: columns of each, (6, bar) as `until` returns them; equally many bars each.

        Returns:
            One series of shape (series, bar).
        """
        return stacked(keys, bars, {key[0]: self.instruments[key[0]].time_zone for key in keys})

    def list_corrections(self, symbol: str, after: int, count: int) -> list[corrections.Correction]:
        """See `corrections.list_corrections`."""
        return corrections.list_corrections(self._db, symbol, after, count)

    def remove_bars(self, key: SeriesKey, first: int, last: int, now: int, principal: str = "") -> int:
        """Remove the bars of a series that close in a range, the forming one too; return the number of final ones.

        Args:
            key: series.
            first: first close time to remove, in microseconds.
            last: last close time to remove.
            now: market time, for the journal of corrections.
            principal: name of the caller, for the journal.

        Raises:
            ResourceExhausted: the disk rejected the write; nothing was removed.
        """
        with self.writing():
            removed = corrections.remove(self._db, key, first, last, now, principal)
            learned = self._book.learn({}, {}, [key])
        forming = self._forming.get(key)
        if forming is not None and first <= forming.close_time <= last:
            del self._forming[key]
        self._book.apply({}, learned, ())
        self._reload(key)
        self._fence.check_acknowledgment()
        return removed

    def rename_symbol(self, symbol: str, new_symbol: str, now: int, principal: str = "") -> int:
        """Move all bars of a symbol, and its description, to another one; return the number of bars.

        Raises:
            NotFound: the symbol has neither bars nor a description.
            AlreadyExists: the bars of both overlap; nothing was moved.
            ResourceExhausted: the disk rejected the write; nothing was moved.
        """
        if symbol not in self.instruments:
            text = f"symbol: {symbol!r} has neither bars nor a description"
            raise NotFound("SYMBOL_NOT_FOUND", text, metadata={"symbol": symbol})
        described = self.instruments.get(new_symbol, self.instruments[symbol])
        self.check_disjoint(symbol, new_symbol, described.time_zone)
        with self.writing():
            moved = corrections.rename(self._db, symbol, new_symbol, now, principal)
            backfill_times.rename(self._db, symbol, new_symbol)
            self._book.write_rename(symbol, new_symbol)
            self.closes.note_renamed(symbol, new_symbol)
        self._book.apply_rename(symbol, new_symbol)
        for interval in INTERVALS:
            self._forming.pop((symbol, interval), None)
        self._reload(*((name, interval) for name in (symbol, new_symbol) for interval in INTERVALS))
        self._fence.check_acknowledgment()
        return moved

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Run the block in a transaction, with the publisher's errors for those of SQLite."""
        try:
            with transaction(self._db):
                self._fence.check_transaction()
                yield
                self.before_commit(self._db)
        except sqlite3.DatabaseError as error:
            raise storage_error(error) from None

    def _reload(self, *keys: SeriesKey) -> None:
        """Read series again whose bars were removed or moved; forget symbols that have none any more."""
        for key in keys:
            self._tails.pop(key, None)
            if (tail := self.load_tail(key)).last_close_time:
                self._tails[key] = tail
        for symbol in {key[0] for key in keys}:
            if not any((symbol, interval) in self._tails for interval in INTERVALS):
                self._book.forget_bars(symbol)

    def _apply(self, draft: Draft) -> None:
        self._forming.update(draft.forming)
        for key, bars in draft.appended.items():
            tail = self._tails.setdefault(key, SeriesTail())
            for bar in bars:
                tail.append(bar)
            forming = self._forming.get(key)
            if forming is not None and forming.close_time <= tail.last_close_time:
                del self._forming[key]
        self._tails.update((key, self.load_tail(key)) for key in draft.changed)
