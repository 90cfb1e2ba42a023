"""What the bars of an instrument show about it: its time zone and the decimals of its prices."""

from functools import lru_cache

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.limits import MAX_PRICE_DECIMALS
from glasstape_server.domain.times import DAY, HOUR, utc_offset

MIN_BARS = 30
"""Bars that decimals are learned from, at least."""
MIN_CLOSES = 120
"""Daily closes that a time zone is learned from, at least."""
MIN_SPAN_DAYS = 245
"""Days that those closes span, at least: no zone keeps one offset for so long if it has daylight saving time."""
MIN_CLOSES_AT_OFFSET = 10
"""Closes at each offset of a zone, at least."""
ON_TIME = 0.95
"""Share of days that close at the official time, at least. The others close earlier."""

_MINUTE = HOUR // 60
CLOSES = (
    ("UTC", 24 * 60),
    ("America/New_York", 16 * 60), ("America/New_York", 17 * 60),  # stocks; currencies
    ("Europe/London", 16 * 60 + 30), ("Europe/Paris", 17 * 60 + 30), ("Europe/Helsinki", 18 * 60 + 30),
    ("Africa/Johannesburg", 17 * 60), ("Asia/Kolkata", 15 * 60 + 30), ("Asia/Bangkok", 16 * 60 + 30),
    ("Asia/Jakarta", 16 * 60), ("Asia/Singapore", 17 * 60), ("Asia/Hong_Kong", 16 * 60), ("Asia/Shanghai", 15 * 60),
    ("Asia/Taipei", 13 * 60 + 30), ("Asia/Tokyo", 15 * 60), ("Asia/Tokyo", 15 * 60 + 30),
    ("Asia/Seoul", 15 * 60 + 30), ("Australia/Sydney", 16 * 60), ("Pacific/Auckland", 16 * 60 + 45),
)  # fmt: skip
"""Zones with the official times of their daily closes, in minutes after local midnight."""


def price_decimals(prices: Floats) -> int | None:
    """Return the decimals that all prices have.

    Prices that came as float32 (150.73 as 150.72999572753906) have the decimals of the shortest text that gives the
    same float32.

    Args:
        prices: any shape; positive.

    Returns:
        The least number of decimals that gives every price again, 0-12; None: no such number.
    """
    single = prices.astype(np.float32)
    from_single = np.array_equal(single, prices)
    for decimals in range(MAX_PRICE_DECIMALS + 1):
        rounded = np.round(prices, decimals)
        if from_single:
            equal = rounded.astype(np.float32) == single
        else:
            equal = np.abs(rounded - prices) <= 2 * np.spacing(prices)
        if equal.all():
            return decimals
    return None


def time_zone(closes: Ints) -> str:
    """Return the only zone in which daily bars close at an official time of `CLOSES`; empty: it is not proved.

    A zone with daylight saving time is proved by closes on both sides of a change, one without by closes over a
    season in which every other zone changes. Zones of one offset that close at one time (Seoul and Tokyo) are
    returned as that offset ("Etc/GMT-9"), any others that fit together are not proved.

    Args:
        closes: close times of daily bars in microseconds, oldest first.
    """
    if len(closes) < MIN_CLOSES or closes[-1] - closes[0] < MIN_SPAN_DAYS * DAY:
        return ""
    return _time_zone(closes.tobytes())


@lru_cache(maxsize=256)  # symbols of one market close at the same times
def _time_zone(data: bytes) -> str:
    closes = np.frombuffer(data, np.int64)
    zones = {zone: _offsets(closes, zone) for zone, _ in CLOSES}
    fitting = {zone for zone, minute in CLOSES if _fits(closes, zones[zone], minute * _MINUTE)}
    if len(fitting) == 1:
        return fitting.pop()
    offsets = {tuple(np.unique(zones[zone])) for zone in fitting}
    if len(offsets) == 1 and len(next(iter(offsets))) == 1:
        return _fixed(int(next(iter(offsets))[0]))
    return ""


def _offsets(closes: Ints, zone: str) -> Ints:
    return np.array([utc_offset(int(close), zone) for close in closes], np.int64)


def _fits(closes: Ints, offsets: Ints, official: int) -> bool:
    """Return whether closes keep an official local time through every change of the zone's offset."""
    time = (closes + offsets - 1) % DAY + 1  # a close at midnight ends the day before
    if (time > official).any():
        return False
    for offset in np.unique(offsets):
        at_offset = time[offsets == offset]
        if len(at_offset) < MIN_CLOSES_AT_OFFSET or (at_offset == official).mean() < ON_TIME:
            return False
    return True


def _fixed(offset: int) -> str:
    """Return the zone of a fixed offset of whole hours; empty: there is none. The sign of its name is reversed."""
    hours, rest = divmod(offset, HOUR)
    return "" if rest else f"Etc/GMT{-hours:+d}"
