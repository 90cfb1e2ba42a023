"""Bars as arrays: one symbol with shape (bar,), or a stack of symbols with shape (symbol, bar)."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.times import INTERVALS, SECOND, offset_in_hour


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
    """Trading day of each bar: bars of one day have equal numbers."""

    def __len__(self) -> int:
        return int(self.close.shape[-1])

    def tail(self, bars: int) -> "Series":
        """Return the last `bars` bars."""
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
    """Return a series of stacked columns.

    Args:
        close_time: microseconds since 1970, UTC, (..., bar).
        prices: open, high, low, close and volume, (5, ..., bar).
        session: trading day of each bar, (..., bar).
    """
    return Series(close_time, prices[0], prices[1], prices[2], prices[3], prices[4], session)


def sessions(close_time: Ints, interval: str, time_zone: str) -> Ints:
    """Return the trading day of each bar: the local date on which its interval began.

    Daily and longer bars are a session each.

    Args:
        close_time: microseconds since 1970, UTC, of any shape.
        interval: length of the bars, a key of `INTERVALS`.
        time_zone: IANA name.

    Returns:
        int64 of the same shape; bars of one day have equal numbers.
    """
    if INTERVALS[interval] >= INTERVALS["1d"]:
        return close_time
    opened = close_time - INTERVALS[interval]
    # Offsets change at most twice a year, so one look-up per UTC hour is exact and cheap.
    hours, position = np.unique(opened // (3600 * SECOND), return_inverse=True)
    offsets = np.array([offset_in_hour(int(hour), time_zone) for hour in hours], dtype=np.int64)
    return np.asarray((opened + offsets[position].reshape(opened.shape)) // (86_400 * SECOND))
