"""The newest bars of a symbol, for the columns of the table: trend, range and turnover of the day."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from math import isfinite

from glasstape import Bar

TREND_BARS = 40
"""Bars of the trend."""
MAX_BARS = 500
"""Bars kept of each symbol: a session of minute bars."""


@dataclass(frozen=True)
class DayFigures:
    """Figures of the session of the newest bar."""

    low: float
    high: float
    volume: float
    turnover: float
    """Sum of volume times the middle of (high, low, close): an estimate, since bars hold no turnover."""


@dataclass
class RecentBars:
    """Bars of one symbol and interval, oldest first."""

    bars: list[Bar] = field(default_factory=list)
    loaded: bool = False
    """Whether the bars before the start of the desktop are here: without them, a day is incomplete."""

    def load(self, bars: Iterable[Bar]) -> None:
        """Add stored bars; those that arrived meanwhile stay."""
        known = {bar.close_time: bar for bar in [*bars, *self.bars]}
        self.bars = [known[moment] for moment in sorted(known)][-MAX_BARS:]
        self.loaded = True

    def add(self, bar: Bar) -> None:
        """Add the bar of a signal."""
        if not self.bars or bar.close_time > self.bars[-1].close_time:
            self.bars = [*self.bars, bar][-MAX_BARS:]

    def closes(self, forming: Bar | None) -> list[float]:
        """Return the closes of the trend, the forming bar's last."""
        bars = [*self.bars[-TREND_BARS:], *([forming] if forming is not None else [])]
        return [bar.close for bar in bars if isfinite(bar.close)]

    def day(self, forming: Bar | None, zone: tzinfo) -> DayFigures | None:
        """Return the figures of the newest day; None while it is incomplete."""
        bars = [*self.bars, *([forming] if forming is not None else [])]
        if not self.loaded or not bars:
            return None
        today = bars[-1].close_time.astimezone(zone).date()
        session = []
        for bar in reversed(bars):
            if bar.close_time.astimezone(zone).date() != today:
                break
            session.append(bar)
        turnover = sum(bar.volume * (bar.high + bar.low + bar.close) / 3 for bar in session)
        return DayFigures(
            min(bar.low for bar in session),
            max(bar.high for bar in session),
            sum(bar.volume for bar in session),
            turnover,
        )
