"""Closes whose symbols were ranked: from then on, no bar joins them.

A close is sealed in a transaction before its ranks are first published. A bar that is stored later is late for it: the
ranks of others stay as they would be without that bar, and its own symbol is ranked among the others and itself.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from glasstape_server.market.corrections import Replacement

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sealed_closes (
    interval TEXT NOT NULL, close_time INTEGER NOT NULL, missing_symbols INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (interval, close_time)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS late_bars (
    interval TEXT NOT NULL, close_time INTEGER NOT NULL, symbol TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (interval, close_time, symbol)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS late_bars_by_number ON late_bars (interval, number);
"""
_LATE = "INTO late_bars (interval, close_time, symbol, number) VALUES (?,?,?,?)"


def late_bars(db: sqlite3.Connection, interval: str, close_time: int) -> dict[str, set[int]]:
    """Return the close times of bars that are late for a close, by symbol: of its own bars and of earlier ones."""
    rows = db.execute(
        "SELECT late_bars.symbol, late_bars.close_time FROM late_bars JOIN sealed_closes AS sealed USING (interval)"
        " WHERE sealed.interval = ? AND sealed.close_time = ?"
        " AND late_bars.number >= sealed.number AND late_bars.close_time <= sealed.close_time",
        (interval, close_time),
    )
    late: dict[str, set[int]] = {}
    for symbol, close in rows:
        late.setdefault(symbol, set()).add(close)
    return late


class SealedCloses:
    """Sealed closes of a bar store, numbered in the order of sealing, and bars that came after some of them.

    Args:
        db: of the store.
        writing: a transaction of the store.
    """

    def __init__(self, db: sqlite3.Connection, writing: Callable[[], AbstractContextManager[None]]) -> None:
        self._db = db
        self._writing = writing
        db.executescript(_SCHEMA)
        newest = "SELECT interval, max(close_time) FROM sealed_closes GROUP BY interval"
        self._newest: dict[str, int] = dict(db.execute(newest))
        (self._number,) = db.execute("SELECT coalesce(max(number), 0) FROM sealed_closes").fetchone()

    def seal(self, interval: str, missing_symbols: Mapping[int, int]) -> None:
        """Seal closes durably; those that are sealed already stay as they are.

        Args:
            interval: of the bars.
            missing_symbols: number of symbols that were awaited and did not close, by close time.

        Raises:
            ResourceExhausted: the disk rejected the write; nothing was sealed.
            Unavailable: the lease of the data folder was lost.
        """
        if not missing_symbols:
            return
        number = self._number + 1
        rows = [(interval, close, count, number) for close, count in missing_symbols.items()]
        with self._writing():
            self._db.executemany("INSERT OR IGNORE INTO sealed_closes VALUES (?,?,?,?)", rows)
        self._number = number
        self._newest[interval] = max(self._newest.get(interval, 0), *missing_symbols)

    def missing_symbols(self, interval: str, close_time: int) -> int | None:
        """Return how many symbols were awaited and did not close; None: the close is not sealed."""
        sealed = self._sealed(interval, close_time)
        return None if sealed is None else sealed[0]

    def late_bars(self, interval: str, close_time: int) -> dict[str, set[int]]:
        """Return the close times of bars that are late for a close, by symbol: of its own bars and of earlier ones."""
        return late_bars(self._db, interval, close_time)

    def note_stored(self, rows: Iterable[Sequence[object]], replacements: Iterable[Replacement]) -> None:
        """Note which new bars are late, within the transaction that stores them.

        Args:
            rows: symbol, interval, close time and more of each bar.
            replacements: of stored bars; one that was halted was no part of its close.
        """
        if not self._newest:
            return
        stored = [(str(row[1]), int(str(row[2])), str(row[0]), self._number) for row in rows]
        resumed = [
            (item.bar.interval, item.bar.close_time, item.bar.symbol, self._number)
            for item in replacements
            if item.old[0] == 0
        ]
        for verb, bars in (("INSERT OR IGNORE", stored), ("INSERT OR REPLACE", resumed)):
            late = [bar for bar in bars if bar[1] <= self._newest.get(bar[0], 0)]
            self._db.executemany(f"{verb} {_LATE}", late)

    def note_renamed(self, symbol: str, new_symbol: str) -> None:
        """Rename the symbol of late bars, within the transaction that renames the bars."""
        self._db.execute("UPDATE OR REPLACE late_bars SET symbol = ? WHERE symbol = ?", (new_symbol, symbol))

    def _sealed(self, interval: str, close_time: int) -> tuple[int, int] | None:
        """Return the missing symbols and the number of a sealed close."""
        if close_time > self._newest.get(interval, 0):
            return None
        row = self._db.execute(
            "SELECT missing_symbols, number FROM sealed_closes WHERE interval = ? AND close_time = ?",
            (interval, close_time),
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))
