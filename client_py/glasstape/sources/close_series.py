"""What `CloseBook` knows of one symbol."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from glasstape.types.market import Bar

Values = tuple[float, float, float, float, float]
REMEMBERED = 64
"""Bars of a symbol whose values are remembered, to recognize duplicates and corrections."""
LONGEST_GAP = 30
"""Missing bars in a row that are requested a second time; more are a closed market."""
ACTIVE = 3
"""Closes without a bar after which others no longer wait for a symbol."""
RAREST = 6
"""A symbol without bars is requested again after 2 ** n intervals; largest n."""


@dataclass(slots=True)
class CloseSeries:
    """The final bars of one symbol, as far as they are known."""

    interval: timedelta
    sparse: bool
    head: datetime
    """Every bar until here is published, accepted, or known not to exist."""
    generation: int = 0
    behind: bool = True
    """Whether bars after `head` must be requested."""
    recent: dict[datetime, Values] = field(default_factory=dict)
    held: dict[datetime, Bar] = field(default_factory=dict)
    """Final bars from `live` that wait for the bars before them."""
    owed: set[datetime] = field(default_factory=set)
    """Closes after `head` of which a provisional bar was seen."""
    forming: Bar | None = None
    changed: bool = False
    newest: datetime | None = None
    """Close of the newest bar of any kind."""
    absent: int = 0
    """Closes since the newest bar at which the market had none."""
    gap: tuple[datetime, datetime] | None = None
    """Bars around missing ones that are requested a second time."""
    polls: int = 0
    next_poll: datetime | None = None

    def remember(self, bars: Iterable[Bar]) -> None:
        """Note final bars, oldest first."""
        for bar in bars:
            self.recent[bar.close_time] = values_of(bar)
            self.newest = max(self.newest or bar.close_time, bar.close_time)
            self.absent = 0
        while len(self.recent) > REMEMBERED:
            del self.recent[min(self.recent)]

    def advance(self, close: datetime) -> None:
        """Note that every bar until a close is known."""
        self.head, self.polls, self.next_poll = close, 0, None
        self.owed = {owed for owed in self.owed if owed > close}
        if self.forming is not None and self.forming.close_time <= close:
            self.forming, self.changed = None, False

    def form(self, bar: Bar) -> bool:
        """Note a provisional bar; return whether it is the first of its close."""
        close = bar.close_time
        if close <= self.head or (self.forming is not None and close < self.forming.close_time):
            return False
        known = close in self.owed
        self.forming, self.changed = bar, True
        self.owed.add(close)
        self.newest, self.absent = max(self.newest or close, close), 0
        return not known

    def hold(self, bar: Bar) -> None:
        """Keep a final bar until the bars before it are known; the oldest are given up."""
        self.behind = True
        self.held[bar.close_time] = bar
        if len(self.held) > REMEMBERED:
            del self.held[min(self.held)]

    def follows(self, close: datetime) -> bool:
        """Return whether no other bar can close between `head` and a close."""
        return self.sparse or close - self.head <= self.interval

    def expected(self, newest_close: datetime | None) -> list[datetime]:
        """Return closes after `head` to request bars of, given the newest close of all symbols."""
        closes = set(self.owed)
        if newest_close is not None and newest_close > self.head and not self.sparse:
            rare = self.interval * 2 ** min(self.absent, RAREST)
            if self.absent < ACTIVE or newest_close - self.head >= rare:
                closes.add(newest_close)
        return sorted(closes)

    def lacks(self, close: datetime) -> bool:
        """Return whether others wait for the bar of this symbol at or before a close."""
        if any(owed <= close for owed in self.owed):
            return True
        return self.head < close and not self.sparse and self.absent < ACTIVE

    def gap_before(self, close: datetime) -> int:
        """Return how many bars are missing before a close; 0 if that is usual or the market was closed."""
        missing = round((close - self.head) / self.interval - 1)
        usual = self.sparse or self.newest is None
        return 0 if usual or not 0 < missing <= LONGEST_GAP else missing


def final_bars(page: Iterable[Bar], start: datetime, end: datetime) -> list[Bar]:
    """Return the final bars of a page with `start < close_time <= end`, oldest first, each close once."""
    bars = {
        bar.close_time: bar
        for bar in page
        if start < bar.close_time <= end and not bar.provisional and is_complete(bar)
    }
    return [bars[close] for close in sorted(bars)]


def is_complete(bar: Bar) -> bool:
    """Return whether all values of a bar are numbers: some markets send NaN for a bar without trades."""
    return all(map(math.isfinite, values_of(bar)))


def values_of(bar: Bar) -> Values:
    """Return open, high, low, close, volume."""
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)
