"""Bars of an interval that form from the minute bars of a stream."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from glasstape.sources.rows import BarBuilder, Row
from glasstape.types.market import INTERVALS, Bar

LATEST_PROVISIONAL = timedelta(seconds=8)
"""Longest time after a close in which a provisional bar becomes final. A follower requests the bar of each provisional
one at its close, and gives up after 10 seconds."""


class LiveBars:
    """Merges minute rows of a stream into provisional bars, and returns each as final once it cannot change.

    A bar that began before the connection is never final: minutes of it may be missing. A bar that becomes final later
    than `LATEST_PROVISIONAL` is not returned as provisional.
    """

    def __init__(
        self,
        interval: str,
        close_of: Callable[[str, date], datetime | None],
        settle: Callable[[datetime], timedelta],
    ) -> None:
        """Describe the bars.

        Args:
            interval: of the bars.
            close_of: returns the close time of the bar that a symbol's minute belongs to; None leaves it out.
            settle: returns the time after a close in which the market may still add to its bar.
        """
        self._interval = interval
        self._close_of = close_of
        self._begun = datetime.max.replace(tzinfo=UTC)
        self._settle = settle
        self._minutes: dict[tuple[str, datetime], dict[date, Row]] = {}
        self._incomplete: set[tuple[str, datetime]] = set()

    def begin(self, time: datetime) -> None:
        """Start: all minutes that end after a time arrive."""
        self._begun = time

    def update(self, symbol: str, row: Row) -> Bar | None:
        """Return the provisional bar that a minute belongs to; a later row of the same minute replaces it.

        None: the minute is outside of sessions, or the bar becomes final too late to be provisional.
        """
        close_time = self._close_of(symbol, row.stamp)
        if close_time is None:
            return None
        minutes = self._minutes.setdefault((symbol, close_time), {})
        minutes[row.stamp] = row
        if self._settle(close_time) > LATEST_PROVISIONAL:
            return None
        return replace(self._bar(symbol, close_time, minutes), provisional=True)

    def spoil(self, symbol: str, stamp: date) -> None:
        """Never make the bar of a moment final: trades of it were lost."""
        close_time = self._close_of(symbol, stamp)
        if close_time is not None:
            self._incomplete.add((symbol, close_time))

    def next_due(self) -> datetime | None:
        """Return when the next bar becomes final; None: none is forming."""
        return min((close + self._settle(close) for _, close in self._minutes), default=None)

    def due(self, now: datetime) -> list[Bar]:
        """Return the bars that became final, oldest first, and forget them."""
        final = []
        for symbol, close_time in sorted(self._minutes, key=lambda key: (key[1], key[0])):
            if close_time + self._settle(close_time) > now:
                continue
            minutes = self._minutes.pop((symbol, close_time))
            whole = self._begun <= close_time - INTERVALS[self._interval]
            if whole and (symbol, close_time) not in self._incomplete:
                final.append(self._bar(symbol, close_time, minutes))
            self._incomplete.discard((symbol, close_time))
        return final

    def _bar(self, symbol: str, close_time: datetime, minutes: dict[date, Row]) -> Bar:
        builder = BarBuilder(symbol, self._interval, lambda _: close_time)
        builder.add(minutes[stamp] for stamp in sorted(minutes))
        return builder.flush()[0]
