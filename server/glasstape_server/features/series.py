"""Bars as arrays: one symbol with shape (bar,), or a stack of symbols with shape (symbol, bar)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from glasstape_server.domain.values import INTERVALS, SECOND, Floats, Ints


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one interval, oldest first along the last axis. All arrays share one shape."""

    close_time: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    session: Ints
    """Trading day of each bar; equal numbers, same day."""

    def __len__(self) -> int:
        return int(self.close.shape[-1])

    def tail(self, bars: int) -> "Series":
        """The last `bars` bars."""
        return Series(
            self.close_time[..., -bars:],
            self.open[..., -bars:],
            self.high[..., -bars:],
            self.low[..., -bars:],
            self.close[..., -bars:],
            self.volume[..., -bars:],
            self.session[..., -bars:],
        )


def from_columns(close_time: Ints, prices: Floats, session: Ints) -> Series:
    """A series from open, high, low, close and volume stacked along the first axis, (5, ..., bar)."""
    return Series(close_time, prices[0], prices[1], prices[2], prices[3], prices[4], session)


def sessions(close_time: Ints, interval: str, time_zone: str) -> Ints:
    """The trading day of each bar: the local date on which its interval began.

    Daily and longer bars are a session each.
    """
    if INTERVALS[interval] >= INTERVALS["1d"]:
        return close_time
    opened = close_time - INTERVALS[interval]
    # Offsets change at most twice a year, so one look-up per UTC hour is exact and cheap.
    hours, position = np.unique(opened // (3600 * SECOND), return_inverse=True)
    zone = ZoneInfo(time_zone)
    offsets = np.array([_offset(int(hour), zone) for hour in hours], dtype=np.int64)
    return np.asarray((opened + offsets[position].reshape(opened.shape)) // (86_400 * SECOND))


def _offset(hour: int, zone: ZoneInfo) -> int:
    moment = datetime.fromtimestamp(hour * 3600, UTC).astimezone(zone)
    offset = moment.utcoffset()
    return int(offset.total_seconds()) * SECOND if offset is not None else 0
