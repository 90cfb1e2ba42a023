"""The live connection of `follow`: opened again whenever it ends."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from glasstape.sources.close_book import CloseBook
from glasstape.sources.close_series import is_complete
from glasstape.sources.errors import SourceUnavailableError, UnknownSymbolError
from glasstape.sources.follow_stats import FollowState, FollowStats
from glasstape.sources.source import Source
from glasstape.sources.timing import Backoff, MarketClock, Timer
from glasstape.types.market import INTERVALS, Bar

LASTING_SECONDS = 60.0
"""A connection that lasted so long, or half an interval, resets the back-off."""

log = logging.getLogger(__name__)


class LiveReader:
    """Hands bars from `live` to a book.

    Args:
        source: the market.
        interval: a key of `INTERVALS`.
        book: takes the bars.
        clock: the market's time.
        timer: pauses.
        stats: state and number of reconnects.
        on_removed: called when the market removed a symbol.
        on_change: called when the book may have something to request or publish.
    """

    def __init__(
        self,
        source: Source,
        interval: str,
        book: CloseBook,
        clock: MarketClock,
        timer: Timer,
        stats: FollowStats,
        on_removed: Callable[[UnknownSymbolError], None],
        on_change: Callable[[], None],
    ) -> None:
        self._source, self._interval, self._book, self._clock = source, interval, book, clock
        self._timer, self._stats = timer, stats
        self._on_removed, self._on_change = on_removed, on_change
        self._length = INTERVALS[interval]
        self._reading: asyncio.Task[None] | None = None
        self._open_since: datetime | None = None
        """Market time from which on every bar should have been named."""

    @property
    def connected(self) -> bool:
        """Return whether the connection is open."""
        return self._open_since is not None

    async def run(self) -> None:
        """Read until canceled.

        Raises:
            SourceError: retrying does not help.
        """
        lasting = max(LASTING_SECONDS, self._length.total_seconds() / 2)
        backoff = Backoff(self._timer, lasting=lasting)
        while True:
            self._reading = asyncio.create_task(self._read(backoff))
            try:
                await asyncio.wait([self._reading])
            finally:
                self._reading.cancel()
                await asyncio.wait([self._reading])
            error = None if self._reading.cancelled() else self._reading.exception()
            self._open_since = None
            self._stats.reconnects += 1
            if isinstance(error, UnknownSymbolError):
                self._on_removed(error)
                await self._timer.sleep(backoff.delay())
                continue
            if error is not None and not isinstance(error, SourceUnavailableError):
                raise error
            await self._pause(backoff, error or SourceUnavailableError("the live connection ended"))

    def restart(self, reason: str) -> None:
        """End the connection; it is opened again."""
        log.info("connecting again: %s", reason)
        if self._reading is not None:
            self._reading.cancel()

    def is_silent(self, now: datetime, grace: timedelta) -> bool:
        """Return whether the connection lived through a whole interval without naming its close."""
        if self._open_since is None:
            return False
        heard = max(self._book.heard or self._open_since, self._open_since)
        return heard + self._length + grace <= now

    def excuse(self, now: datetime) -> None:
        """Note that the market had no bars until now."""
        if self._open_since is not None:
            self._open_since = now

    async def _read(self, backoff: Backoff) -> None:
        await self._clock.sync()
        self._open_since = self._clock.estimate()
        self._book.reconnected()
        self._on_change()
        bars = self._source.live(self._book.symbols, self._interval)
        try:
            async for bar in bars:
                backoff.connected()
                if self._stats.state is not FollowState.SERVER_UNAVAILABLE:
                    self._stats.state = FollowState.LIVE
                await self._offer(bar)
        finally:
            if isinstance(bars, AsyncGenerator):
                await bars.aclose()

    async def _offer(self, bar: Bar) -> None:
        """Hand a bar to the book, as provisional unless the market's clock proves its close."""
        now = self._clock.estimate()
        if not bar.provisional and bar.close_time > now and bar.close_time > await self._clock.sync():
            bar = replace(bar, provisional=True)
        if not is_complete(bar) or bar.close_time > now + 2 * self._length:
            log.warning("ignoring a bar without numbers or of the future: %s", bar)
        elif self._book.offer(bar):
            self._on_change()

    async def _pause(self, backoff: Backoff, error: SourceUnavailableError) -> None:
        if self._stats.state is not FollowState.SERVER_UNAVAILABLE:
            self._stats.state = FollowState.DISCONNECTED
        self._stats.last_error = str(error)
        await backoff.pause(error)
