"""When the next bars of an instrument close: by its exchange's sessions, else by its own earlier bars.

Times are microseconds since 1970, UTC. Bars are stamped by their close.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from glasstape.calendars import Calendar

from glasstape_server.domain.times import DAY, INTERVALS, utc_offset

REMEMBERED_WEEKS = 3
"""A weekday without a bar for so long is no trading day."""
CERTAIN_DAYS = 13
"""Days of history from which on a weekday without a bar is no trading day; before, Monday to Friday are."""
_WEEK = 7
_MONDAY_TO_FRIDAY = range(5)

Hours = tuple[int, int]
"""First and last close of a local day, in microseconds after its midnight."""


@dataclass(frozen=True, slots=True, eq=False)
class WeeklyPattern:
    """Trading days of a week with their hours, as learned from bars. Made by `weekly_pattern`."""

    time_zone: str
    days: tuple[Hours | None, ...]
    """Hours of each local weekday, Monday first; None: no trading."""


@lru_cache(maxsize=4096)
def weekly_pattern(time_zone: str, days: tuple[Hours | None, ...]) -> WeeklyPattern:
    """Return the one object of a pattern: thousands of symbols share few of them, and look-ups by it are fast."""
    return WeeklyPattern(time_zone, days)


class PatternLearner:
    """Learns the weekly pattern of one symbol from the closes of its bars.

    Each weekday keeps its last three occurrences, so that a holiday or a shortened day changes nothing, and
    a weekday that is no longer traded is forgotten.
    """

    def __init__(self, time_zone: str, closes: Iterable[int] = ()) -> None:
        """Learn from closes, oldest first."""
        self.time_zone = time_zone
        self.newest = 0
        """Newest close that was seen; 0: none."""
        self._first_day: int | None = None
        self._days: list[deque[tuple[int, int, int]]] = [deque(maxlen=REMEMBERED_WEEKS) for _ in range(_WEEK)]
        self._pattern: WeeklyPattern | None = None
        self._learned_on = 0
        for close in closes:
            self.see(close)

    def see(self, close: int) -> None:
        """Learn from the close of one bar, newer than those before."""
        day, time = local_day(close, self.time_zone)
        if self._first_day is None:
            self._first_day = day
        weekday = _weekday(day)
        days = self._days[weekday]
        self.newest = max(self.newest, close)
        if days and days[-1][0] == day:
            _, first, last = days[-1]
            if first <= time <= last:
                return
            days[-1] = (day, min(first, time), max(last, time))
        else:
            days.append((day, time, time))
        if self._pattern is not None:
            hours = self._pattern.days[weekday]
            known = hours is not None and hours[0] <= time <= hours[1]
            if not known or day >= self._learned_on + _WEEK:  # what is no longer traded is forgotten weekly
                self._pattern = None

    @property
    def pattern(self) -> WeeklyPattern:
        """The pattern of the last three weeks."""
        if self._pattern is None:
            self._pattern = self._learned()
        return self._pattern

    def _learned(self) -> WeeklyPattern:
        today = self._learned_on = local_day(self.newest, self.time_zone)[0]
        recent = [
            [hours for day, *hours in days if day > today - REMEMBERED_WEEKS * _WEEK] for days in self._days
        ]
        seen = [hours for days in recent for hours in days]
        anywhere = _union(seen) if seen else (0, DAY)
        certain = self._first_day is not None and today - self._first_day >= CERTAIN_DAYS
        return weekly_pattern(
            self.time_zone,
            tuple(
                _union(days) if days else anywhere if not certain and number in _MONDAY_TO_FRIDAY else None
                for number, days in enumerate(recent)
            ),
        )


@lru_cache(maxsize=4096)  # a whole market closes at one time
def bars_later(calendar: Calendar, close: int, interval: str, bars: int) -> int | None:
    """Return when a later bar of an exchange closes, if none is missing; None beyond the known sessions.

    Args:
        calendar: sessions of the exchange.
        close: close of the bar to count from.
        interval: length of the bars, a key of `INTERVALS`.
        bars: how many bars later, 1 or more.
    """
    length = INTERVALS[interval]
    if length > DAY or calendar.always_open:
        return close + bars * length
    if length == DAY:
        return _sessions_later(calendar, close, bars)
    later: int | None = close
    for _ in range(bars):
        later = None if later is None else _next_in_period(calendar, later, length)
    return later


@lru_cache(maxsize=4096)
def bars_between(calendar: Calendar, first: int, last: int, interval: str) -> int | None:
    """Return how many bars of an exchange close between two of its bars; None beyond the known sessions.

    Args:
        calendar: sessions of the exchange.
        first: close of the earlier bar.
        last: close of the later bar.
        interval: length of the bars, a key of `INTERVALS`.
    """
    length = INTERVALS[interval]
    if length > DAY or calendar.always_open:
        return max(0, round((last - first) / length) - 1)
    if not calendar.sessions or last > calendar.sessions[-1][1] + DAY:
        return None
    if length == DAY:
        number = calendar.session_before(first)
        return None if number < 0 else max(0, calendar.session_before(last) - number - 1)
    close, count = _next_in_period(calendar, first, length), 0
    while close is not None and close < last - length // 2:
        close, count = _next_in_period(calendar, close, length), count + 1
    return None if close is None else count


@lru_cache(maxsize=4096)
def closes_between_by_pattern(
    pattern: WeeklyPattern, first: int, last: int, interval: str, most: int
) -> tuple[int, ...]:
    """Return the closes between those of two bars, by what was learned from earlier bars.

    Args:
        pattern: days and hours that the symbol trades.
        first: close of the earlier bar.
        last: close of the later bar.
        interval: length of the bars, a key of `INTERVALS`.
        most: closes to return at most.
    """
    closes: list[int] = []
    close = bars_later_by_pattern(pattern, first, interval, 1)
    while close < last - INTERVALS[interval] // 2 and len(closes) < most:
        closes.append(close)
        close = bars_later_by_pattern(pattern, close, interval, 1)
    return tuple(closes)


@lru_cache(maxsize=4096)  # symbols of one market have equal patterns
def bars_later_by_pattern(pattern: WeeklyPattern, close: int, interval: str, bars: int) -> int:
    """Return when a later bar closes, if none is missing, by what was learned from earlier bars.

    Args:
        pattern: days and hours that the symbol trades.
        close: close of the bar to count from.
        interval: length of the bars, a key of `INTERVALS`.
        bars: how many bars later, 1 or more.
    """
    length = INTERVALS[interval]
    if length > DAY:
        return close + bars * length
    step = _next_day if length == DAY else _next_in_hours
    for _ in range(bars):
        close = step(pattern, close, length)
    return close


def local_day(close: int, time_zone: str) -> tuple[int, int]:
    """Return the local day that a bar belongs to, in days since 1970, and its close in microseconds after midnight.

    A bar that closes at midnight belongs to the day that ends.
    """
    day, time = divmod(close + utc_offset(close, time_zone) - 1, DAY)
    return day, time + 1


def _weekday(day: int) -> int:
    return (day + 3) % _WEEK  # 1970-01-01 was a Thursday


def _union(hours: Iterable[Iterable[int]]) -> Hours:
    firsts, lasts = zip(*hours, strict=True)
    return min(firsts), max(lasts)


def _sessions_later(calendar: Calendar, close: int, sessions: int) -> int | None:
    """Return the close of a later session, as long after its official close as `close` is."""
    number = calendar.session_before(close)
    if number < 0 or number + sessions >= len(calendar.sessions):
        return None
    return calendar.sessions[number + sessions][1] + close - calendar.sessions[number][1]


def _next_in_period(calendar: Calendar, close: int, length: int) -> int | None:
    """Return the next close of bars that are cut at the end of trading."""
    number = calendar.period_before(close)
    if number < 0:
        return None
    if close >= calendar.periods[number][1]:
        number += 1
        if number == len(calendar.periods):
            return None
        close = calendar.periods[number][0]
    return min(close + length, calendar.periods[number][1])


def _next_day(pattern: WeeklyPattern, close: int, length: int) -> int:
    """Return the same time on the next trading day."""
    later = close + length
    for _ in range(_WEEK):
        if pattern.days[_weekday(local_day(later, pattern.time_zone)[0])] is not None:
            return later
        later += length
    return close + length


def _next_in_hours(pattern: WeeklyPattern, close: int, length: int) -> int:
    """Return the next close of bars that are cut at the end of a day's hours."""
    day, time = local_day(close, pattern.time_zone)
    hours = pattern.days[_weekday(day)]
    if hours is not None and time < hours[1]:
        return close + min(length, hours[1] - time)
    # Overnight trading: a day's hours may reach midnight, and the next day's begin there.
    for ahead in range(1, _WEEK + 1):
        hours = pattern.days[_weekday(day + ahead)]
        if hours is not None:
            first = max(hours[0], time + length - ahead * DAY)
            local = (day + ahead) * DAY + first
            return local - utc_offset(local - utc_offset(close, pattern.time_zone), pattern.time_zone)
    return close + length
