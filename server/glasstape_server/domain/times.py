"""Times and lengths in microseconds, bar intervals, and local days.

Times are whole microseconds since 1970, UTC.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
"""Microseconds."""
HOUR = 3600 * SECOND
"""Microseconds."""
DAY = 86_400 * SECOND
"""Microseconds."""

INTERVALS: dict[str, int] = {
    "1m": 60 * SECOND,
    "3m": 180 * SECOND,
    "5m": 300 * SECOND,
    "10m": 600 * SECOND,
    "15m": 900 * SECOND,
    "30m": 1800 * SECOND,
    "1h": 3600 * SECOND,
    "2h": 7200 * SECOND,
    "4h": 14400 * SECOND,
    "1d": DAY,
    "1w": 7 * DAY,
}
"""Length of every supported bar interval, in microseconds."""


@lru_cache(maxsize=4096)  # a whole market closes at one time
def day_of(time: int, time_zone: str) -> tuple[int, int]:
    """Return the local day that holds a time: its midnight and the next, in microseconds UTC."""
    local = datetime.fromtimestamp(time / SECOND, UTC).astimezone(ZoneInfo(time_zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=1)).replace(hour=0)
    return int(start.timestamp()) * SECOND, int(end.timestamp()) * SECOND


@lru_cache(maxsize=4096)
def week_of(time: int, time_zone: str) -> tuple[int, int]:
    """Return the local week, from Monday on, that holds a time: its first midnight and the next week's, as `day_of`."""
    local = datetime.fromtimestamp(time / SECOND, UTC).astimezone(ZoneInfo(time_zone))
    monday = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=local.weekday())
    return int(monday.timestamp()) * SECOND, int((monday + timedelta(days=7)).timestamp()) * SECOND


@lru_cache(maxsize=1 << 16)
def offset_in_hour(hour: int, time_zone: str) -> int:
    """Return how far local time is ahead of UTC at the start of an hour, in microseconds.

    Offsets change on whole hours UTC, so the offset holds for the whole hour.

    Args:
        hour: hours since 1970, UTC.
        time_zone: IANA name.
    """
    offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(time_zone)).utcoffset()
    return int(offset.total_seconds()) * SECOND if offset is not None else 0


def utc_offset(time: int, time_zone: str) -> int:
    """Return how far local time is ahead of UTC at a time, in microseconds."""
    return offset_in_hour(time // HOUR, time_zone)


def duration_text(duration: int) -> str:
    """Return a duration in microseconds as text, in its two largest units: `3 h 59 min`, `5 s`, `0.5 s`."""
    if duration < 60 * SECOND:
        return f"{duration / SECOND:g} s"
    seconds = duration // SECOND
    counts = (
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    )
    first = next(number for number, (count, _) in enumerate(counts) if count)
    return " ".join(f"{count:,} {unit}" for count, unit in counts[first : first + 2] if count)
