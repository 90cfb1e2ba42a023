"""Bars as arrays: one symbol with shape (bar,), or a stack of symbols with shape (symbol, bar)."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.times import DAY, HOUR, INTERVALS, offset_in_hour


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
    time_zone: NDArray[np.str_] = field(default_factory=lambda: np.array(["UTC"]))
    """IANA zone of local times, (..., 1)."""

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
            self.time_zone,
        )

    def local_time(self) -> Ints:
        """Return the local time of each close, in microseconds since 1970 of a clock without a zone."""
        local, zones = np.empty_like(self.close_time), self.time_zone[..., 0]
        for zone in np.unique(zones):
            chosen = zones == zone
            local[chosen] = local_times(self.close_time[chosen], str(zone))
        return local


def from_columns(
    close_time: Ints, prices: Floats, session: Ints, time_zone: str | NDArray[np.str_] = "UTC"
) -> Series:
    """Return a series of stacked columns.

    Args:
        close_time: microseconds since 1970, UTC, (..., bar).
        prices: open, high, low, close and volume, (5, ..., bar).
        session: trading day of each bar, (..., bar).
        time_zone: IANA zone of local times: one, or that of each symbol, (symbol,).
    """
    zones = np.asarray(time_zone)[..., None]
    return Series(close_time, prices[0], prices[1], prices[2], prices[3], prices[4], session, zones)


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
    return np.asarray((opened + _offsets(opened, time_zone)) // DAY)


def local_times(close_time: Ints, time_zone: str) -> Ints:
    """Return the local time of each close, in microseconds since 1970 of a clock without a zone.

    The offset is that of the end of the bar, which is the one before a change at the close itself.

    Args:
        close_time: microseconds since 1970, UTC, of any shape.
        time_zone: IANA name.
    """
    return close_time + _offsets(close_time - 1, time_zone)


def _offsets(times: Ints, time_zone: str) -> Ints:
    """Return how far local time is ahead of UTC at each time, in microseconds."""
    # Offsets change at most twice a year, so one look-up per UTC hour is exact and cheap.
    hours, position = np.unique(times // HOUR, return_inverse=True)
    offsets = np.array([offset_in_hour(int(hour), time_zone) for hour in hours], dtype=np.int64)
    return np.asarray(offsets[position].reshape(times.shape))
