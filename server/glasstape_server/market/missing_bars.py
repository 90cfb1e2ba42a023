"""Bars that are missing between those of a window: rejected, or never received.

A bar is missing if the market had it. That follows from the first of these that is known:

1. the sessions of the instrument's exchange;
2. symbols of the same interval that have the bars before and after the gap: of a holiday or a lunch break, they
   have none in between either;
3. the weekly pattern of the symbol's own bars; for intraday bars also whether it traded at that time of the day in
   the week before.

All methods run on the market thread.
"""

from collections.abc import Sequence
from itertools import pairwise

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.calendars import bars_between, closes_between_by_pattern, local_day
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.store import BarStore

_COMPANIONS = 8
"""Other symbols that are looked at."""
_MOST = 128
"""Missing bars of one gap that are counted by a symbol's own bars at most."""
_DAYS = 7
"""Days before a gap in which a symbol's own bars show when it trades."""


class MissingBars:
    """Counts missing bars. To be used for one burst or call: what it found is kept."""

    def __init__(self, store: BarStore, calendars: MarketCalendars) -> None:
        self._store = store
        self._calendars = calendars
        self._of_others: dict[tuple[str, int, int], int | None] = {}

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
                count -= self._store.halted_between(key, before, after)
            missing += max(0, count)
        return missing

    def _by_bars(self, key: SeriesKey, before: int, after: int, newest: int) -> int:
        """Return the bars of a gap by what the stored bars up to the newest close show."""
        gap = (key[1], before, after)
        if gap not in self._of_others:
            self._of_others[gap] = self._others(key, before, after)
        of_others = self._of_others[gap]
        if of_others is not None:
            return of_others
        pattern = self._calendars.pattern(key, newest)
        closes = closes_between_by_pattern(pattern, before, after, key[1], _MOST)
        if INTERVALS[key[1]] >= DAY or not closes:
            return len(closes)
        return self._at_usual_times(key, before, closes)

    def _others(self, key: SeriesKey, before: int, after: int) -> int | None:
        """Return the most bars that another symbol has in a gap; None: no other one has the bars around it."""
        counts: list[int] = []
        for other in self._store.series_keys(key[1]):
            tail = self._store.tail(other)
            if other == key or tail is None:
                continue
            closes = tail.columns()[0]
            first, last = closes.searchsorted((before, after))
            if last < len(closes) and closes[first] == before and closes[last] == after:
                count = int(last - first) - 1
                counts.append(count and count + self._store.halted_between(other, before, after))
                if len(counts) == _COMPANIONS:
                    break
        return max(counts, default=None)

    def _at_usual_times(self, key: SeriesKey, before: int, closes: Sequence[int]) -> int:
        """Return how many closes are at times of the day at which the symbol had a bar in the week before."""
        zone, length = self._store.time_zone(key[0]), INTERVALS[key[1]]
        own = self._store.closes_between(key, before - _DAYS * DAY, before)
        usual = {local_day(close, zone)[1] // length for close in own}
        return sum(local_day(close, zone)[1] // length in usual for close in closes)
