"""Whether bars are as far apart as their interval says, with the standard library only."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from statistics import median

from glasstape.intervals import INTERVALS

LEAST_BARS = 3
"""Bars from which on their distances are compared with the interval."""
_CLOSE = 0.5
"""Median distance, in intervals, at or below which bars are too close. A day with two bars, of which the second is
cut at the end of trading, has a median above it."""
_FAR = 1.5
"""Median distance, in intervals, above which bars are too far apart if they are regular."""
_REGULAR = 0.1
"""Share of clearly shorter distances below which bars are regular: not those of a market that trades rarely."""


def interval_mismatch(close_times: Iterable[datetime], interval: str) -> str | None:
    """Return why bars cannot be of an interval, as a sentence; None: they can be, or are too few to tell.

    Args:
        close_times: of one series, all with or all without a zone, in any order; equal ones count once.
        interval: the stated interval, a key of `INTERVALS`.

    Raises:
        KeyError: no such interval.
    """
    length, closes = INTERVALS[interval].total_seconds(), sorted(set(close_times))
    if len(closes) < LEAST_BARS:
        return None
    distances = sorted((later - earlier).total_seconds() for earlier, later in pairwise(closes))
    typical = median(distances)
    shorter = bisect_left(distances, 0.9 * typical)
    if typical > _CLOSE * length and (typical <= _FAR * length or shorter >= _REGULAR * len(distances)):
        return None
    fitting = next((name for name, other in INTERVALS.items() if other.total_seconds() == typical), None)
    remedy = f"set --interval {fitting}" if fitting else "correct --interval"
    return f"bars are {_text(typical)} apart in the median, the interval is {interval}; {remedy}"


def _text(seconds: float) -> str:
    """Return a duration as text, in its largest unit."""
    units = ((86_400, "d"), (3600, "h"), (60, "min"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= size), (1, "s"))
    return f"{seconds / size:.4g} {unit}"
