"""Instruments of the bar store: what publishers stated, completed by what the bars show."""

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from glasstape.exchanges import zone_of
from glasstape.symbols import case_twins, lost_zeros

from glasstape_server.domain import learned
from glasstape_server.domain.bars import Instrument, SeriesKey
from glasstape_server.domain.times import DAY, INTERVALS

LEARNED_BARS = 400
"""Newest bars that are learned from, at most."""
GROWTH = 1.5
"""What was learned is learned again when a symbol has so many times the bars."""
COLUMNS = tuple(item.name for item in fields(Instrument) if item.name not in ("learned", "assumed"))
"""Columns of the table `instruments`, in order."""
_NAMED = 3
"""Symbols that a log line names."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS learned (
    symbol TEXT PRIMARY KEY, time_zone TEXT NOT NULL, price_decimals INTEGER, bars INTEGER NOT NULL
) WITHOUT ROWID
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """What the bars of a symbol show."""

    time_zone: str = ""
    """IANA name; empty: not proved."""
    price_decimals: int | None = None
    """None: too few bars, or computed prices."""
    bars: int = 0
    """Bars of the symbol when it was learned."""


class InstrumentBook:
    """All instruments of a bar store. Values that a publisher stated win over what the bars show."""

    def __init__(self, db: sqlite3.Connection) -> None:
        db.execute(_SCHEMA)
        self._db = db
        self._stated: dict[str, Instrument] = {}
        self._learned = {row[0]: Learned(*row[1:]) for row in db.execute("SELECT * FROM learned")}
        self._counts = {symbol: item.bars for symbol, item in self._learned.items()}
        self.known: dict[str, Instrument] = {}
        """Every instrument as it is listed and used."""
        self._warned: set[str] = set()
        self._warned_of_zones = False
        rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM instruments")  # noqa: S608
        self._state(Instrument(*row) for row in rows)

    def stated(self, symbol: str) -> Instrument:
        """Return what publishers stated about a symbol; nothing but the symbol if it is not described."""
        return self._stated.get(symbol) or Instrument(symbol)

    def add(self, symbols: Iterable[str]) -> None:
        """Add symbols that bars came of."""
        for symbol in symbols:
            if symbol not in self.known:
                self._complete(symbol)

    def write(self, instruments: Iterable[Instrument]) -> None:
        """Write statements, in a transaction."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO instruments ({', '.join(COLUMNS)})"  # noqa: S608
            f" VALUES ({','.join('?' * len(COLUMNS))})",
            [[getattr(item, name) for name in COLUMNS] for item in instruments],
        )

    def learn(
        self,
        added: Mapping[SeriesKey, int],
        stated: Mapping[str, Instrument],
        corrected: Iterable[SeriesKey] = (),
    ) -> dict[str, Learned]:
        """Learn from stored bars and write it, in a transaction.

        Args:
            added: bars that the transaction adds to each series.
            stated: what the transaction states.
            corrected: series of which it replaced or removed bars: they are learned again.

        Returns:
            What is new, by symbol; see `apply`.
        """
        found: dict[str, Learned] = {}
        counts = dict.fromkeys(again := set(corrected), 0) | dict(added)
        for key, count in counts.items():
            symbol = key[0]
            total = self._counts[symbol] = self._counts.get(symbol, 0) + count
            before = self._learned.get(symbol, Learned())
            if key not in again and total < max(learned.MIN_BARS, GROWTH * before.bars):
                continue
            if _is_complete(stated.get(symbol) or self.stated(symbol)):
                continue
            found[symbol] = self._learn(key, found.get(symbol, before), total)
        self._db.executemany(
            "INSERT OR REPLACE INTO learned VALUES (?,?,?,?)",
            [(symbol, item.time_zone, item.price_decimals, item.bars) for symbol, item in found.items()],
        )
        return found

    def apply(
        self, stated: Mapping[str, Instrument], found: Mapping[str, Learned], symbols: Iterable[str]
    ) -> None:
        """Take over what a transaction wrote.

        Args:
            stated: statements, by symbol.
            found: what `learn` returned.
            symbols: symbols that bars came of.
        """
        before = len(self.known)
        self._learned.update(found)
        self._state(stated.values())
        self.add(symbols)
        for symbol in found:
            self._complete(symbol)
        if len(self.known) != before:
            self._warn()

    def write_rename(self, symbol: str, new_symbol: str) -> None:
        """Move what is known of a symbol to another one, in a transaction; what is known of that one stays."""
        for table in ("instruments", "learned"):
            self._db.execute(
                f"UPDATE OR IGNORE {table} SET symbol = ? WHERE symbol = ?",  # noqa: S608
                (new_symbol, symbol),
            )
            self._db.execute(f"DELETE FROM {table} WHERE symbol = ?", (symbol,))  # noqa: S608

    def apply_rename(self, symbol: str, new_symbol: str) -> None:
        """Take over what `write_rename` wrote."""
        stated, shown = self._stated.pop(symbol, None), self._learned.pop(symbol, None)
        if stated is not None:
            self._stated.setdefault(new_symbol, replace(stated, symbol=new_symbol))
        if shown is not None:
            self._learned.setdefault(new_symbol, shown)
        self._counts[new_symbol] = self._counts.get(new_symbol, 0) + self._counts.pop(symbol, 0)
        self.known.pop(symbol, None)
        self._complete(new_symbol)

    def forget_bars(self, symbol: str) -> None:
        """Take over that a symbol has no bars any more: without a statement it is unknown."""
        self._counts.pop(symbol, None)
        if symbol not in self._stated:
            self.known.pop(symbol, None)

    def _state(self, instruments: Iterable[Instrument]) -> None:
        for item in instruments:
            self._stated[item.symbol] = item
            self._complete(item.symbol)

    def _complete(self, symbol: str) -> None:
        """Complete what is stated about a symbol: by its exchange, its bars, else UTC."""
        stated, shown = self.stated(symbol), self._learned.get(symbol, Learned())
        from_bars, assumed = list[str](), list[str]()
        zone = stated.time_zone or zone_of(stated.exchange)
        if not zone:
            (from_bars if shown.time_zone else assumed).append("time_zone")
            zone = shown.time_zone or "UTC"
        decimals = stated.price_decimals
        if decimals is None and shown.price_decimals is not None:
            decimals = shown.price_decimals
            from_bars.append("price_decimals")
        self.known[symbol] = replace(
            stated, time_zone=zone, price_decimals=decimals, learned=tuple(from_bars), assumed=tuple(assumed)
        )

    def _learn(self, key: SeriesKey, before: Learned, total: int) -> Learned:
        rows = self._db.execute(
            "SELECT close_time, open, high, low, close FROM bars WHERE symbol = ? AND interval = ? AND open > 0"
            " ORDER BY close_time DESC LIMIT ?",
            (*key, LEARNED_BARS),
        ).fetchall()
        bars = np.array(rows, np.float64).reshape(-1, 5)[::-1]
        zone = before.time_zone
        if INTERVALS[key[1]] == DAY:
            zone = learned.time_zone(bars[:, 0].astype(np.int64)) or zone
        decimals = learned.price_decimals(bars[:, 1:]) if len(bars) >= learned.MIN_BARS else None
        return Learned(zone, decimals, total)

    def _warn(self) -> None:
        """Warn once about each damaged set of symbols, and once about unknown time zones."""
        for warning in (*case_twins(self.known), *lost_zeros(self.known)):
            kind = warning.partition(" (")[0]  # examples change as symbols are added
            if kind not in self._warned:
                self._warned.add(kind)
                log.warning("%s", warning)
        assumed = [item.symbol for item in self.known.values() if "time_zone" in item.assumed]
        if assumed and not self._warned_of_zones:
            self._warned_of_zones = True
            log.warning(
                "time_zone of %s is not stated and not shown by daily bars: trading days are days of UTC; "
                "state it with `glasstape instruments import`",
                _named(assumed),
            )


def _is_complete(stated: Instrument) -> bool:
    """Return whether the bars of an instrument can show nothing that is not stated."""
    has_zone = bool(stated.time_zone or zone_of(stated.exchange))
    return has_zone and stated.price_decimals is not None


def _named(symbols: Iterable[str]) -> str:
    names = sorted(symbols)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
