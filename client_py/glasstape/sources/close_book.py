"""Which bars are final, which are missing and which close is ready to be published. Without input and output."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from glasstape.sources.close_series import REMEMBERED, CloseSeries, values_of
from glasstape.types.market import Bar


class Revision(StrEnum):
    """A final bar that comes after its time."""

    LATE = "late"
    """Of a close that later bars have passed."""
    CORRECTED = "corrected"
    """With other values than the published ones."""


class CloseBook:
    """Collects bars of one interval until their closes are ready.

    Args:
        interval: length of a bar.
        grace: how long a close waits for its stragglers.
        poll_after: how long after a close its missing bars are requested.
        sparse: see `Source.sparse`.
        limit: largest number of accepted bars; beyond it bars stay with the source.
    """

    def __init__(
        self,
        interval: timedelta,
        *,
        grace: timedelta,
        poll_after: timedelta,
        sparse: bool = False,
        limit: int = 20_000,
    ) -> None:
        self._interval, self._grace, self._poll_after = interval, grace, poll_after
        self._sparse, self._limit = sparse, limit
        self._series: dict[str, CloseSeries] = {}
        self._pending: dict[datetime, dict[str, Bar]] = {}
        self._size = 0
        self._newest_close: datetime | None = None
        self.heard: datetime | None = None
        """Newest close that a live bar named."""
        self.revisions: list[tuple[Revision, Bar]] = []
        """To be taken by the caller."""
        self.duplicates = 0
        self.missing = 0
        """Bars that the market did not have when they were requested twice."""

    @property
    def symbols(self) -> list[str]:
        """Return the symbols in the order in which they were added."""
        return list(self._series)

    @property
    def newest_close(self) -> datetime | None:
        """Return the newest close that is due or accepted, of all symbols."""
        return self._newest_close

    def start(self, symbol: str, position: datetime, stored: Iterable[Bar] = ()) -> None:
        """Add a symbol, or move it; bars that were accepted are forgotten and requested again.

        Args:
            symbol: as on the market.
            position: bars until here are stored.
            stored: the newest stored bars, oldest first.
        """
        for bars in self._pending.values():
            self._size -= bars.pop(symbol, None) is not None
        self._pending = {close: bars for close, bars in self._pending.items() if bars}
        generation = self._series[symbol].generation + 1 if symbol in self._series else 0
        series = CloseSeries(self._interval, self._sparse, position, generation)
        series.remember(stored)
        self._series[symbol] = series

    def drop(self, symbol: str) -> None:
        """Remove a symbol; what was accepted of it is still published."""
        self._series.pop(symbol, None)

    def position(self, symbol: str) -> tuple[datetime, int]:
        """Return until when a symbol is complete, and the generation for `fill`."""
        series = self._series[symbol]
        return series.head, series.generation

    def advance(self, symbol: str, bars: Sequence[Bar]) -> None:
        """Note bars that were published as history, oldest first."""
        series = self._series.get(symbol)
        if series is not None and bars and bars[-1].close_time > series.head:
            series.remember(bars[-REMEMBERED:])
            series.advance(bars[-1].close_time)

    def reconnected(self) -> None:
        """Request all symbols again: bars may have closed while there was no connection."""
        for series in self._series.values():
            series.behind, series.next_poll = True, None

    def offer(self, bar: Bar) -> bool:
        """Take a bar from `live`; return whether something else is due now or later.

        A final bar must be proved by the market's clock.
        """
        series = self._series.get(bar.symbol)
        if series is None:
            return False
        close = bar.close_time
        self.heard = max(self.heard or close, close)
        if bar.provisional:
            return series.form(bar)
        if close <= series.head:
            self._revise(series, bar)
        elif not series.behind and self._size < self._limit and series.follows(close):
            self._accept(series, bar)
        else:
            series.hold(bar)
        return True

    def fill(self, symbol: str, bars: Sequence[Bar], through: datetime, generation: int) -> None:
        """Take the final bars that the source has of a symbol, from its position on, oldest first.

        Args:
            symbol: as on the market.
            bars: may begin before the position, to find corrections.
            through: market time before the request.
            generation: of `position`; the bars are ignored if the symbol was moved since.
        """
        series = self._series.get(symbol)
        if series is None or series.generation != generation:
            return
        series.behind = True
        for bar in bars:
            if bar.close_time <= series.head:
                self._revise(series, bar)
            elif self._size >= self._limit or self._asks_again(series, bar.close_time, through):
                return
            else:
                self._accept(series, bar)
        series.behind = False
        absent = [close for close in self._expected(series) if close <= through - self._grace]
        if absent:
            series.advance(absent[-1])  # requested long enough after its close: there is none
            series.absent += 1
        self._schedule(series, through)
        held, series.held = series.held, {}
        for close in sorted(held):
            self.offer(held[close])

    def to_poll(self, now: datetime) -> list[str]:
        """Return the symbols to request bars of: those behind, and stragglers of a close."""
        if self._size >= self._limit:
            return []
        return [symbol for symbol, series in self._series.items() if self._poll_time(series, now) <= now]

    def next_poll(self, now: datetime) -> datetime:
        """Return when `to_poll` changes without a new bar; at most one interval after `now`."""
        times = [now + self._interval]
        if self._size < self._limit:
            times += [self._poll_time(series, now) for series in self._series.values()]
        return min(times)

    def take_ready(self, now: datetime) -> list[list[Bar]]:
        """Return the bars of each close that is complete or has waited long enough, in order; forget them."""
        ready = []
        for close in sorted(self._pending):
            if now < close + self._grace and any(item.lacks(close) for item in self._series.values()):
                break
            bars = self._pending.pop(close)
            self._size -= len(bars)
            ready.append(list(bars.values()))
        return ready

    def next_ready(self, now: datetime) -> datetime:
        """Return when `take_ready` changes without a new bar; at most one interval after `now`."""
        return min([now + self._interval, *(close + self._grace for close in self._pending)])

    def take_forming(self) -> list[Bar]:
        """Return the provisional bars that changed since the last call, the newest of each symbol."""
        changed = []
        for series in self._series.values():
            if series.changed and series.forming is not None:
                changed.append(series.forming)
            series.changed = False
        return changed

    def note_time(self, now: datetime) -> None:
        """Note which closes are over by the market's clock."""
        for series in self._series.values():
            for close in series.owed:
                if close <= now:
                    self._note_close(close)

    def _asks_again(self, series: CloseSeries, close: datetime, now: datetime) -> bool:
        """Return whether bars before a close are missing that a second request may bring."""
        missing = series.gap_before(close)
        if not missing:
            return False
        if series.gap == (series.head, close):
            self.missing += missing
            return False
        series.gap = (series.head, close)
        series.next_poll = now + self._grace
        return True

    def _accept(self, series: CloseSeries, bar: Bar) -> None:
        self._pending.setdefault(bar.close_time, {})[bar.symbol] = bar
        self._size += 1
        series.remember([bar])
        series.advance(bar.close_time)
        self._note_close(bar.close_time)

    def _revise(self, series: CloseSeries, bar: Bar) -> None:
        close = bar.close_time
        known = series.recent.get(close)
        if known == values_of(bar):
            self.duplicates += 1
        elif bar.symbol in self._pending.get(close, ()):
            self._pending[close][bar.symbol] = bar  # not published yet: the newest values count
            series.recent[close] = values_of(bar)
        elif series.recent and close >= min(series.recent):
            self.revisions.append((Revision.LATE if known is None else Revision.CORRECTED, bar))
            series.recent[close] = values_of(bar)  # each is reported once

    def _note_close(self, close: datetime) -> None:
        self._newest_close = max(self._newest_close or close, close)

    def _expected(self, series: CloseSeries) -> list[datetime]:
        return series.expected(self._newest_close)

    def _poll_time(self, series: CloseSeries, now: datetime) -> datetime:
        if series.behind:
            return series.next_poll or now
        expected = self._expected(series)
        if not expected:
            return now + self._interval
        due = expected[0] + self._poll_after
        return max(due, series.next_poll or due)

    def _schedule(self, series: CloseSeries, now: datetime) -> None:
        expected = self._expected(series)
        if not expected or expected[0] > now:
            series.polls, series.next_poll = 0, None
            return
        pause = min(self._poll_after * 2.0**series.polls, self._grace)
        series.polls, series.next_poll = series.polls + 1, now + pause
