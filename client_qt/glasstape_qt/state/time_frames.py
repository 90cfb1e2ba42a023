"""Longer bars, built from stored ones."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import groupby

from glasstape import Bar

_MINUTES = {"1m": 1, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60, "4h": 240}
_DAYS = ("1d", "1w", "1mo")
_ORDER = (*_MINUTES, *_DAYS)


@dataclass(frozen=True)
class FramedBars:
    """Bars of a time frame, oldest first."""

    bars: Sequence[Bar]
    last: Sequence[int]
    """Position of the newest stored bar of each."""

    def position(self, stored: int) -> int:
        """Return the position of the bar that contains a stored bar; -1 if there is none."""
        number = bisect_left(self.last, stored)
        return number if stored >= 0 and number < len(self.last) else -1


def frames_of(interval: str) -> tuple[str, ...]:
    """Return the time frames that bars of an interval can be shown in, the interval itself first."""
    if interval not in _ORDER:
        return (interval,)
    longer = _ORDER[_ORDER.index(interval) + 1 :]
    if interval in _MINUTES:
        longer = tuple(
            frame for frame in longer if frame in _DAYS or _MINUTES[frame] % _MINUTES[interval] == 0
        )
    return (interval, *longer)


def framed(bars: Sequence[Bar], frame: str, zone: tzinfo) -> FramedBars:
    """Return bars of a time frame: open of the first, close of the last, highest high, lowest low, whole volume.

    Minutes are counted from midnight in `zone`, and no bar spans two days. A bar that contains a provisional one is
    provisional.
    """
    if not bars or bars[0].interval == frame:
        return FramedBars(bars, range(len(bars)))
    result, last, count = [], [], 0
    for _, items in groupby(bars, key=lambda bar: _bucket(bar, frame, zone)):
        group = list(items)
        count += len(group)
        result.append(_joined(group, frame))
        last.append(count - 1)
    return FramedBars(result, last)


def _bucket(bar: Bar, frame: str, zone: tzinfo) -> tuple[int, ...]:
    local = bar.close_time.astimezone(zone)
    # A bar that closes at midnight belongs to the day before it.
    day = local.date().toordinal() - (local.hour == local.minute == local.second == 0 and frame in _MINUTES)
    if frame in _MINUTES:
        seconds = (local.hour * 60 + local.minute) * 60 + local.second or 86_400
        return day, (seconds - 1) // (60 * _MINUTES[frame])
    if frame == "1w":
        return local.isocalendar()[:2]
    return (local.year, local.month) if frame == "1mo" else (day,)


def _joined(group: Sequence[Bar], frame: str) -> Bar:
    first, last = group[0], group[-1]
    return Bar(
        symbol=first.symbol,
        interval=frame,
        close_time=last.close_time,
        open=first.open,
        high=max(bar.high for bar in group),
        low=min(bar.low for bar in group),
        close=last.close,
        volume=sum(bar.volume for bar in group),
        provisional=any(bar.provisional for bar in group),
        halted=all(bar.halted for bar in group),
    )
