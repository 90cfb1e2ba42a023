"""Whether bars are as far apart as their interval says, with the standard library only."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from glasstape.barfile.errors import BarFileError
from glasstape.intervals import INTERVALS

LEAST_BARS = 3
"""Bars from which on they may be too close."""
LEAST_FAR_BARS = 5
"""Bars from which on they may be too far apart: fewer may have holidays between them."""
_CLOSE = 0.5
"""Median distance, in intervals, at or below which bars are too close. A day with two bars, of which the second is
cut at the end of trading, has a median above it."""
_FAR = 1.2
"""Median distance, in intervals, above which bars are too far apart if they are regular."""
MAX_SYMBOLS = 20
"""Series of a file that are looked at: the first ones."""
MAX_BARS = 2_000
"""Bars of each that are looked at: the first ones."""
_NEAR, _EVEN = 0.9, 0.75
"""Median distance, in intervals, below which bars are too close if this share of the distances is about the median."""
_REGULAR = 0.1
"""Share of clearly shorter distances below which bars are regular: not those of a market that trades rarely."""


def interval_mismatch(close_times: Iterable[int], interval: str) -> str | None:
    """Return why bars cannot be of an interval, as a sentence; None: they can be, or are too few to tell.

    Args:
        close_times: of one series in microseconds, in any order; equal ones count once.
        interval: the stated interval, a key of `INTERVALS`.

    Raises:
        KeyError: no such interval.
    """
    length, closes = INTERVALS[interval].total_seconds(), sorted(set(close_times))
    if len(closes) < LEAST_BARS:
        return None
    distances = sorted((later - earlier) / 1_000_000 for earlier, later in pairwise(closes))
    typical = median(distances)
    if typical > length and len(closes) < LEAST_FAR_BARS:
        return None
    shorter = bisect_left(distances, 0.9 * typical)
    even = bisect_right(distances, 1.1 * typical) - shorter
    if typical < _NEAR * length and even >= _EVEN * len(distances):
        return _sentence(typical, interval)
    if typical > _CLOSE * length and (typical <= _FAR * length or shorter >= _REGULAR * len(distances)):
        return None
    return _sentence(typical, interval)


def _sentence(typical: float, interval: str) -> str:
    fitting = next((name for name, other in INTERVALS.items() if other.total_seconds() == typical), None)
    remedy = f"set --interval {fitting}" if fitting else "correct --interval"
    return f"bars are {_text(typical)} apart in the median, the interval is {interval}; {remedy}"


def _text(seconds: float) -> str:
    """Return a duration as text, in its largest unit."""
    units = ((86_400, "d"), (3600, "h"), (60, "min"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= size), (1, "s"))
    return f"{seconds / size:.4g} {unit}"


@dataclass(slots=True)
class Distances:
    """First closes of a file's first series."""

    closes: dict[str, list[int]] = field(default_factory=dict)
    """In microseconds, by symbol."""

    def see(self, symbol: str, closes: Sequence[int]) -> None:
        """Note closes of a symbol; they are passed in the file's order."""
        known = self.closes.get(symbol)
        if known is None:
            if len(self.closes) == MAX_SYMBOLS:
                return
            known = self.closes[symbol] = []
        known += closes[: MAX_BARS - len(known)]

    def check(self, interval: str, where: str) -> None:
        """Check the distances of each series.

        Raises:
            BarFileError: bars of a series cannot be of the interval.
        """
        for symbol, closes in self.closes.items():
            if mismatch := interval_mismatch(closes, interval):
                raise BarFileError(f"{where}: {symbol}: {mismatch}")
