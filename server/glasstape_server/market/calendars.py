"""When each instrument's next bars are due: the stored bars' side of `domain.calendars`.

All methods run on the market thread, except `missing`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from glasstape import calendars

from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calendars import (
    CERTAIN_DAYS,
    PatternLearner,
    WeeklyPattern,
    bars_later,
    bars_later_by_pattern,
)
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.market.clock import Due
from glasstape_server.market.store import BarStore

_HISTORY_DAYS = CERTAIN_DAYS + 1
"""Days of stored bars that a pattern is learned from."""


class MarketCalendars:
    """Calendars of the instruments in a store."""

    def __init__(self, store: BarStore) -> None:
        self._store = store
        self._learners: dict[SeriesKey, PatternLearner] = {}

    def market_of(self, symbol: str) -> str:
        """Return the exchange whose sessions a symbol keeps; empty if its instrument names none."""
        instrument = self._store.instruments.get(symbol)
        return "" if instrument is None else calendars.resolved(instrument.exchange)

    def bars_later(self, key: SeriesKey, close: int, *bars: int) -> tuple[int, ...]:
        """Return when later bars of a series close; see `later_closes`."""
        return tuple(self.later_closes([(key, close)], *bars)[0].tolist())

    def later_closes(self, closes: Sequence[tuple[SeriesKey, int]], *bars: int) -> Ints:
        """Return when later bars close, in microseconds UTC, (close, later bar).

        By the exchange's sessions where they are loaded and known, else by what the symbol's own bars up to
        the close show. Symbols of one market share what is computed.

        Args:
            closes: series and closes of the bars to count from.
            bars: how many bars later each is, 1 or more.
        """
        by_sessions: dict[tuple[calendars.Calendar, int, str], tuple[int, ...] | None] = {}
        by_pattern: dict[tuple[WeeklyPattern, int, str], tuple[int, ...]] = {}
        later: list[tuple[int, ...]] = []
        for key, close in closes:
            exchange = self.calendar_of(key[0])
            known = None
            if exchange is not None:
                market = (exchange, close, key[1])
                if market not in by_sessions:
                    by_sessions[market] = _by_sessions(*market, bars)
                known = by_sessions[market]
            if known is None:
                shown = (self._learner(key, close).pattern, close, key[1])
                if shown not in by_pattern:
                    by_pattern[shown] = tuple(bars_later_by_pattern(*shown, count) for count in bars)
                known = by_pattern[shown]
            later.append(known)
        return np.array(later, np.int64).reshape(len(closes), len(bars))

    def calendar_of(self, symbol: str) -> calendars.Calendar | None:
        """Return the sessions of a symbol's exchange; None: not known, or not loaded."""
        return calendars.find(self.market_of(symbol))

    def pattern(self, key: SeriesKey, close: int) -> WeeklyPattern:
        """Return the days and hours that a symbol's own bars up to `close` show."""
        return self._learner(key, close).pattern

    def due(self, key: SeriesKey, close: int) -> Due:
        """Return when the two bars after a close are due."""
        following, second = self.bars_later(key, close, 1, 2)
        return Due(close, following, second, INTERVALS[key[1]])

    def newest(self, closed: Iterable[tuple[SeriesKey, int]]) -> dict[str, Due]:
        """Return when bars are due after the newest close of each market.

        Args:
            closed: series and close times, in any order.
        """
        newest: dict[str, tuple[int, SeriesKey]] = {}
        for key, close in closed:
            market = self.market_of(key[0])
            if market not in newest or close > newest[market][0]:
                newest[market] = (close, key)
        return {market: self.due(key, close) for market, (close, key) in newest.items()}

    def newest_of(self, keys: Iterable[SeriesKey]) -> dict[str, Due]:
        """Return when bars are due after the newest stored close of some series of the published interval."""
        mine = (key for key in keys if key[1] == self._store.interval)
        closes = ((key, self._store.last_close(key)) for key in mine)
        return self.newest((key, close) for key, close in closes if close is not None)

    def newest_stored(self) -> dict[str, Due]:
        """Return the same for all series."""
        return self.newest_of(self._store.series_keys(self._store.interval))

    def backfills_stored(self) -> dict[str, tuple[int, int]]:
        """Return newest close and arrival of the last backfill of each market, as `Clock.saw_backfill` noted them."""
        found: dict[str, tuple[int, int]] = {}
        for backfill in self._store.backfills(self._store.interval):
            market = self.market_of(backfill.symbol)
            close, arrival = found.get(market, (0, 0))
            if backfill.close_time > close or (backfill.close_time == close and backfill.arrival < arrival):
                found[market] = (backfill.close_time, backfill.arrival)
        return found

    def forget(self, keys: Iterable[SeriesKey]) -> None:
        """Forget what was learned about series; it is learned again from the stored bars."""
        for key in keys:
            self._learners.pop(key, None)

    def forget_symbols(self, *symbols: str) -> None:
        """Forget what was learned about all series of symbols."""
        self.forget([key for key in self._learners if key[0] in symbols])

    def _learner(self, key: SeriesKey, close: int) -> PatternLearner:
        """Return the learner of a series, taught with its bars up to `close`."""
        zone = self._store.time_zone(key[0])
        learner = self._learners.get(key)
        if learner is None or learner.time_zone != zone:
            learner = self._learners[key] = PatternLearner(zone, self._history(key, close))
        if close > learner.newest:
            learner.see(close)
        return learner

    def _history(self, key: SeriesKey, until: int) -> list[int]:
        """Return closes that show which days a symbol traded, and when, oldest first."""
        if INTERVALS[key[1]] >= DAY:
            return [int(close) for close in self._store.until(key, until, _HISTORY_DAYS)[0]]
        return self._store.daily_bounds(key, until, _HISTORY_DAYS)


def _by_sessions(
    exchange: calendars.Calendar, close: int, interval: str, bars: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return when later bars of an exchange close; None: one of them is beyond the known sessions."""
    known = [bars_later(exchange, close, interval, count) for count in bars]
    later = tuple(time for time in known if time is not None)
    return later if len(later) == len(bars) else None
