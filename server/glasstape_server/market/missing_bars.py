"""Bars that are missing between those of a window: rejected, or never received.

A bar is missing if the market had it. That follows from the first of these that is known:

1. the sessions of the instrument's exchange;
2. symbols of the same interval and time zone that have the bars before and after the gap: of a holiday or a lunch
   break, most of them have none in between either;
3. the weekly pattern of the symbol's own bars; for intraday bars also whether it traded at that time of the day in
   the week before.

All methods run on the market thread.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calendars import bars_between, closes_between_by_pattern, local_day
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.series_tail import CAPACITY
from glasstape_server.market.store import BarStore

_COMPANIONS = 64
"""Symbols of one interval and time zone that are looked at."""
_MOST = 128
"""Missing bars of one gap that are counted by a symbol's own bars at most."""
_DAYS = 7
"""Days before a gap in which a symbol's own bars show when it trades."""


class MissingBars:
    """Counts missing bars. To be used for one burst or call: what it found is kept."""

    def __init__(self, store: BarStore, calendars: MarketCalendars) -> None:
        self._store = store
        self._calendars = calendars
        self._by_market: dict[tuple[str, str], _Companions] = {}

    def count(self, key: SeriesKey, closes: Sequence[int]) -> int:
        """Return how many bars are missing between the closes of bars of a series, microseconds, oldest first."""
        length = INTERVALS[key[1]]
        gaps = [(before, after) for before, after in pairwise(closes) if after - before > length]
        if not gaps:
            return 0
        calendar = self._calendars.calendar_of(key[0])
        missing = 0
        for before, after in gaps:
            count = None if calendar is None else bars_between(calendar, before, after, key[1])
            if count is None:
                count = self._by_bars(key, before, after, closes[-1])
            if count:
                count -= self._store.unusable_between(key, before, after)
            missing += max(0, count)
        return missing

    def _by_bars(self, key: SeriesKey, before: int, after: int, newest: int) -> int:
        """Return the bars of a gap by what the stored bars up to the newest close show."""
        of_others = self._companions(key).count(key, before, after)
        if of_others is not None:
            return of_others
        pattern = self._calendars.pattern(key, newest)
        closes = closes_between_by_pattern(pattern, before, after, key[1], _MOST)
        if INTERVALS[key[1]] >= DAY or not closes:
            return len(closes)
        return self._at_usual_times(key, before, closes)

    def _companions(self, key: SeriesKey) -> "_Companions":
        """Return the symbols of the same interval and time zone, some of many."""
        market = (key[1], self._store.time_zone(key[0]))
        if market not in self._by_market:
            keys = [each for each in self._store.series_keys(key[1]) if self._is_of(each, market[1])]
            self._by_market[market] = _Companions(self._store, keys[:_COMPANIONS])
        return self._by_market[market]

    def _is_of(self, key: SeriesKey, zone: str) -> bool:
        return self._store.time_zone(key[0]) == zone

    def _at_usual_times(self, key: SeriesKey, before: int, closes: Sequence[int]) -> int:
        """Return how many closes are at times of the day at which the symbol had a bar in the week before."""
        zone, length = self._store.time_zone(key[0]), INTERVALS[key[1]]
        own = self._store.closes_between(key, before - _DAYS * DAY, before)
        usual = {local_day(close, zone)[1] // length for close in own}
        return sum(local_day(close, zone)[1] // length in usual for close in closes)


class _Companions:
    """Closes of symbols that may trade together."""

    def __init__(self, store: BarStore, keys: Sequence[SeriesKey]) -> None:
        self._store, self._keys = store, keys
        self._closes = np.zeros((len(keys), CAPACITY))
        """The newest closes of each symbol, (symbol, bar), right-aligned."""
        for row, key in enumerate(keys):
            tail = store.tail(key)
            closes = tail.columns()[0, -CAPACITY:] if tail is not None else np.empty(0)
            self._closes[row, CAPACITY - len(closes) :] = closes
        self._counts: dict[tuple[int, int], tuple[list[int], set[SeriesKey]]] = {}

    def count(self, key: SeriesKey, before: int, after: int) -> int | None:
        """Return the median number of bars that others have between two closes; None: no other one has both."""
        gap = (before, after)
        if gap not in self._counts:
            self._counts[gap] = self._count(before, after)
        counts, keys = self._counts[gap]
        others = len(counts) - (key in keys)
        # The symbol itself has none: it is among the first of the ascending counts.
        return counts[len(counts) - others + (others - 1) // 2] if others else None

    def _count(self, before: int, after: int) -> tuple[list[int], set[SeriesKey]]:
        """Return the bars of each symbol in a gap, ascending, and the symbols: those with the bars around it."""
        both = (self._closes == before).any(axis=1) & (self._closes == after).any(axis=1)
        within = ((self._closes > before) & (self._closes < after)).sum(axis=1)
        counts = {self._keys[row]: int(within[row]) for row in np.flatnonzero(both).tolist()}
        for key, count in counts.items():
            if count:
                counts[key] = count + self._store.unusable_between(key, before, after)
        return sorted(counts.values()), set(counts)
