"""One bar per interval: how close two bars of a series may close.

A bar covers the interval that ends at its close, so two bars of a series close at least one interval apart. A local
day has one daily bar, and a week, Monday to Sunday, one weekly bar. An intraday bar may be shorter where trading ends
before its interval does:

- at an open or a close of the exchange's sessions, if the instrument names an exchange with a calendar;
- where the symbol's own bars pause: the next bar closes more than an interval later, and on a later local day or
  after a bar of at least half an interval (a lunch break, the daily break of futures);
- at a local time at which they paused on one of the seven days before, with or without such a bar.
"""

from datetime import UTC, datetime
from typing import Protocol

from glasstape.calendars import Calendar

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import AlreadyExists, Violation
from glasstape_server.domain.times import DAY, INTERVALS, SECOND, day_of, duration_text, utc_offset, week_of

SHORTENED = frozenset(name for name, length in INTERVALS.items() if 60 * SECOND < length < DAY)
"""Intervals of which a session's last bar may be shorter: sessions end at a whole minute."""
_DAYS_BACK = 7
_CORRECT = "remove the stored bar first if it is the wrong one (RemoveBars, `glasstape bars remove`)"


class SeriesCloses(Protocol):
    """Close times of the other bars of a series."""

    def between(self, first: int, last: int) -> list[int]:
        """Return those of stored and drafted bars in a range, both ends included, oldest first."""
        ...

    def after(self, time: int) -> int | None:
        """Return the first one after a time, bars that are still to be checked included; None: there is none."""
        ...


def earliest_overlap(close: int, interval: str, time_zone: str) -> int:
    """Return the earliest close of another bar that the bar that closes at `close` may overlap, in microseconds UTC."""
    length = INTERVALS[interval]
    return close - length + 1 if length < DAY else _period(close, interval, time_zone)[0]


def check_spacing(bar: Bar, closes: SeriesCloses, time_zone: str, calendar: Calendar | None) -> None:
    """Check that a bar overlaps no other bar of its series.

    Args:
        bar: to be stored.
        closes: of its series.
        time_zone: IANA zone of its trading days.
        calendar: sessions of its exchange; None: not known.

    Raises:
        AlreadyExists: it overlaps one; names rule, neighbor and value.
    """
    length, close = INTERVALS[bar.interval], bar.close_time
    if length >= DAY:
        _check_period(bar, closes, time_zone)
        return
    before = closes.between(close - length + 1, close - 1)
    if before and not _trading_ends(before[-1], close, length, closes, time_zone, calendar):
        raise _overlap(bar, "after the bar before", before[-1])
    after = closes.between(close + 1, close + length - 1)
    if after and not _trading_ends(close, after[0], length, closes, time_zone, calendar):
        raise _overlap(bar, "before the bar after", after[0])


def _check_period(bar: Bar, closes: SeriesCloses, time_zone: str) -> None:
    others = closes.between(*_period(bar.close_time, bar.interval, time_zone))
    if others:
        period = "trading day" if INTERVALS[bar.interval] == DAY else "week"
        raise _conflict(bar, f"the {period} in {time_zone} already has a bar ({_iso(others[0])})", others[0])


def _period(close: int, interval: str, time_zone: str) -> tuple[int, int]:
    """Return the first and last close that belong to the day or week of a bar."""
    if INTERVALS[interval] == DAY:
        start, end = day_of(close, time_zone)
        return start, end - 1
    start, end = week_of(close - 1, time_zone)  # midnight on Monday belongs to the week that ends
    return start + 1, end


def _trading_ends(
    before: int, close: int, length: int, closes: SeriesCloses, time_zone: str, calendar: Calendar | None
) -> bool:
    """Return whether trading ends at `close`, less than an interval after the bar `before`."""
    if calendar is not None and _is_session_bound(calendar, close):
        return True
    if _pauses(before, close, closes.after(close), length, time_zone):
        return True
    offset = utc_offset(close, time_zone)
    for days in range(1, _DAYS_BACK + 1):
        same_time = close - days * DAY
        same_time += offset - utc_offset(same_time, time_zone)
        earlier = closes.between(same_time - length + 1, same_time)
        start = next((time for time in reversed(earlier) if time < same_time), same_time - length)
        if earlier and _pauses(start, same_time, closes.after(same_time), length, time_zone):
            return True
    return False


def _is_session_bound(calendar: Calendar, time: int) -> bool:
    number = calendar.period_before(time)
    if number >= 0 and calendar.periods[number][1] == time:
        return True
    return number + 1 < len(calendar.periods) and calendar.periods[number + 1][0] == time


def _pauses(before: int, close: int, following: int | None, length: int, time_zone: str) -> bool:
    """Return whether bars pause at `close`."""
    if following is None or following - close <= length:
        return False
    return following > day_of(close - 1, time_zone)[1] or 2 * (close - before) >= length


def _overlap(bar: Bar, side: str, neighbor: int) -> AlreadyExists:
    apart = duration_text(abs(bar.close_time - neighbor))
    rule = (
        f"must be at least one interval ({bar.interval}) {side} ({_iso(neighbor)}) unless trading ends there; "
        f"they are {apart} apart"
    )
    return _conflict(bar, rule, neighbor)


def _conflict(bar: Bar, rule: str, neighbor: int) -> AlreadyExists:
    text = f"{rule}, is {_iso(bar.close_time)}; {_CORRECT}"
    return AlreadyExists(
        "BAR_CONFLICT",
        f"close_time: {text}",
        violations=(Violation("close_time", text),),
        metadata={"symbol": bar.symbol, "neighbor": _iso(neighbor)},
    )


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).isoformat()
