"""`glasstape follow`: bars of a market, complete and in order, to a Glasstape server.

Three tasks share a `CloseBook`: one reads `live`, one requests what is missing by `history`, one publishes closes.
The state is the server's stored bars alone: a follower that was killed continues after them.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from glasstape._aio import AsyncClient
from glasstape.sources.bar_publisher import BarPublisher, ServerLostError
from glasstape.sources.close_book import CloseBook
from glasstape.sources.errors import SourceError, SourceUnavailableError, UnknownSymbolError
from glasstape.sources.follow_stats import FollowState, FollowStats
from glasstape.sources.history_filler import HistoryFiller
from glasstape.sources.history_parts import OnProgress
from glasstape.sources.source import Source
from glasstape.sources.timing import Backoff, MarketClock, SystemTimer, Timer
from glasstape.types.market import INTERVALS, Bar

DEFAULT_HISTORY = 500
"""Bars before now that a symbol without stored bars starts with, unless `since` says otherwise."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """What to follow, and how."""

    symbols: Sequence[str]
    interval: str
    """A key of `INTERVALS`."""
    since: datetime | None = None
    """Start of the history of symbols without stored bars; None: 500 bars before now."""
    provisional: bool = False
    """Publish forming bars too."""
    provisional_interval: timedelta = timedelta(seconds=1)
    """Shortest time between two calls that publish forming bars."""
    replace: bool = False
    """Correct the server's bars when the market corrects its own."""
    grace: timedelta = timedelta(seconds=10)
    """How long a close waits for its stragglers."""
    poll_after: timedelta = timedelta(seconds=1)
    """How long after a close the bars that `live` did not bring are requested."""
    signal_age: timedelta | None = None
    """Closes older than this are stored without signals; None: one hour or four bars, whichever is longer."""


class NothingToFollowError(SourceError):
    """The market has none of the symbols."""


class Follower:
    """Follows one source.

    Args:
        source: the market; the caller closes it.
        client: connection to the server; the caller closes it.
        options: what to follow.
        timer: time and pauses; tests replace it.
        on_progress: called as old bars are stored.
    """

    def __init__(
        self,
        source: Source,
        client: AsyncClient,
        options: FollowOptions,
        timer: Timer | None = None,
        on_progress: OnProgress = lambda *_: None,
    ) -> None:
        self._source, self._options = source, options
        self._timer = timer or SystemTimer()
        self._length = INTERVALS[options.interval]
        self.stats = FollowStats()
        self._clock = MarketClock(source, self._timer)
        self._book = CloseBook(
            self._length, grace=options.grace, poll_after=options.poll_after, sparse=source.sparse
        )
        self._publisher = BarPublisher(
            client, options.interval, self.stats, self._timer, replace=options.replace
        )
        self._filler = HistoryFiller(
            source,
            options.interval,
            self._book,
            self._publisher,
            self._clock,
            options.signal_age,
            on_progress,
        )
        self._live: asyncio.Task[None] | None = None
        self._connected_at: datetime | None = None
        """Market time at which the live connection was opened."""
        self._changed = asyncio.Event()
        self._behind = asyncio.Event()
        self._positioning = asyncio.Lock()

    async def run(self) -> None:
        """Follow until canceled.

        Raises:
            SourceError: the market refuses for good, or has none of the symbols.
            GlasstapeError: the server refuses for good.
        """
        await self._start()
        try:
            async with asyncio.TaskGroup() as group:
                for loop in (self._live_loop, self._fill_loop, self._publish_loop):
                    group.create_task(loop())
        except* Exception as group_error:
            error: BaseException = group_error
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    async def _start(self) -> None:
        """Find the symbols on the market, and their positions on the server.

        Raises:
            NothingToFollowError: the market has none of them.
        """
        backoff = Backoff(self._timer)
        symbols = list(dict.fromkeys(self._options.symbols))
        while True:
            try:
                await self._clock.sync()
                instruments = await self._source.instruments(symbols)
                break
            except UnknownSymbolError as error:
                symbols.remove(error.symbol)
                self._drop(error)
                if not symbols:
                    raise NothingToFollowError("the market has none of the symbols") from None
            except SourceUnavailableError as error:
                await self._pause(backoff, error)
        self._instruments = instruments
        await self._position(symbols)

    async def _position(self, symbols: Sequence[str]) -> None:
        """Start every symbol after its newest stored bar, as soon as the server is available."""
        async with self._positioning:
            backoff = Backoff(self._timer, longest=10.0)
            while True:
                try:
                    await self._publisher.describe(self._instruments)
                    now = self._clock.estimate()
                    stored = {symbol: await self._publisher.stored(symbol, now) for symbol in symbols}
                    break
                except ServerLostError as error:
                    self._note(FollowState.SERVER_UNAVAILABLE, error)
                    await self._timer.sleep(backoff.delay())
            first = self._options.since or now - DEFAULT_HISTORY * self._length
            for symbol, bars in stored.items():
                if symbol in self.stats.dropped:
                    continue
                if bars:
                    self.stats.last_close[symbol] = bars[-1].close_time
                self._book.start(symbol, bars[-1].close_time if bars else first, bars)
        self._behind.set()

    async def _live_loop(self) -> None:
        """Read `live` and connect again whenever it ends."""
        backoff = Backoff(self._timer, lasting=max(60.0, self._length.total_seconds() / 2))
        while True:
            self._live = asyncio.create_task(self._read_live(backoff))
            try:
                await asyncio.wait([self._live])
            finally:
                self._live.cancel()
                await asyncio.wait([self._live])
            error = None if self._live.cancelled() else self._live.exception()
            self._connected_at = None
            self.stats.reconnects += 1
            if isinstance(error, UnknownSymbolError):
                self._drop(error)
                continue
            if error is not None and not isinstance(error, SourceUnavailableError):
                raise error
            error = error or SourceUnavailableError("the live connection ended")
            if self.stats.state is not FollowState.SERVER_UNAVAILABLE:
                self._note(FollowState.DISCONNECTED, error)
            await self._pause(backoff, error)

    async def _read_live(self, backoff: Backoff) -> None:
        await self._clock.sync()
        self._connected_at = self._clock.estimate()
        self._book.reconnected()
        self._behind.set()
        bars = self._source.live(self._book.symbols, self._options.interval)
        try:
            async for bar in bars:
                backoff.connected()
                if self.stats.state is not FollowState.SERVER_UNAVAILABLE:
                    self.stats.state = FollowState.LIVE
                await self._offer(bar)
        finally:
            if isinstance(bars, AsyncGenerator):
                await bars.aclose()

    async def _offer(self, bar: Bar) -> None:
        """Hand a live bar to the book, as provisional unless the market's clock proves its close."""
        now = self._clock.estimate()
        if not bar.provisional and bar.close_time > now and bar.close_time > await self._clock.sync():
            bar = replace(bar, provisional=True)
        if bar.close_time > now + 2 * self._length:
            log.warning("%s: ignoring a bar of the future: %s", bar.symbol, bar.close_time.isoformat())
            return
        if self._book.offer(bar):
            self._changed.set()
            self._behind.set()

    async def _fill_loop(self) -> None:
        """Request what is missing: after connecting, of stragglers, and of a connection that is silent."""
        backoff = Backoff(self._timer, longest=30.0)
        while True:
            self._behind.clear()
            now = self._clock.estimate()
            self._book.note_time(now)
            symbols = self._book.to_poll(now)
            try:
                if symbols:
                    for error in await self._filler.fill(symbols):
                        self._drop(error)
                        self._restart_live("a symbol was removed")
                    self._changed.set()
                elif self._is_silent(now):
                    await self._probe(now)
                backoff.connected()
            except SourceUnavailableError as error:
                await self._pause(backoff, error)
            except ServerLostError as error:
                await self._lost_server(error)
            else:
                await self._wait_for_polls()

    async def _wait_for_polls(self) -> None:
        now = self._clock.estimate()
        seconds = (self._book.next_poll(now) - now).total_seconds()
        await self._timer.wait(self._behind, max(0.05, seconds))

    def _is_silent(self, now: datetime) -> bool:
        """Return whether the live connection lived through a whole interval without naming its close."""
        heard = self._book.heard
        if self._connected_at is None:
            return False
        return (
            max(heard or self._connected_at, self._connected_at) + self._length + self._options.grace <= now
        )

    async def _probe(self, now: datetime) -> None:
        """Connect again if the market has bars that the live connection did not name."""
        symbol = max(self._book.symbols, key=lambda name: self._book.position(name)[0])
        if await self._filler.probe(symbol):
            self._restart_live("the live connection is silent while the market has new bars")
        else:
            self._connected_at = now  # a closed market: look again after one interval

    def _restart_live(self, reason: str) -> None:
        log.info("connecting again: %s", reason)
        if self._live is not None:
            self._live.cancel()

    async def _publish_loop(self) -> None:
        """Publish closes in order, then what is forming."""
        next_forming = self._timer.monotonic()
        while True:
            self._changed.clear()
            now = self.stats.market_time = self._clock.estimate()
            try:
                await self._publish(now)
                if self._options.provisional and self._timer.monotonic() >= next_forming:
                    await self._publisher.publish_forming(self._book.take_forming())
                    pause = self._options.provisional_interval.total_seconds()
                    next_forming = self._timer.monotonic() + pause
            except ServerLostError as error:
                await self._lost_server(error)
            now = self._clock.estimate()
            seconds = (self._book.next_ready(now) - now).total_seconds()
            if self._options.provisional:
                seconds = min(seconds, next_forming - self._timer.monotonic())
            await self._timer.wait(self._changed, max(0.05, seconds))

    async def _publish(self, now: datetime) -> None:
        for bars in self._book.take_ready(now):
            await self._publisher.publish(bars)
            self._behind.set()
        revisions, self._book.revisions = self._book.revisions, []
        for revision, bar in revisions:
            await self._publisher.revise(revision, bar)
        self.stats.missing = self._book.missing

    async def _lost_server(self, error: ServerLostError) -> None:
        """Continue from the server's stored bars once it accepts bars again."""
        if self._positioning.locked():
            async with self._positioning:
                return
        self._note(FollowState.SERVER_UNAVAILABLE, error)
        await self._position(self._book.symbols)
        self.stats.state = FollowState.LIVE if self._connected_at else FollowState.DISCONNECTED

    async def _pause(self, backoff: Backoff, error: SourceUnavailableError) -> None:
        self.stats.last_error = str(error)
        delay = backoff.delay(error.retry_after)
        log.warning("%s; retrying in %.1f s", error, delay)
        await self._timer.sleep(delay)

    def _note(self, state: FollowState, error: Exception) -> None:
        self.stats.state, self.stats.last_error = state, str(error)

    def _drop(self, error: UnknownSymbolError) -> None:
        """Stop to follow a symbol.

        Raises:
            NothingToFollowError: it was the last one.
        """
        if error.symbol in self.stats.dropped:
            return
        log.error("%s; it is no longer followed", error)
        self.stats.dropped.append(error.symbol)
        self._book.drop(error.symbol)
        if self._live is not None and not self._book.symbols:
            raise NothingToFollowError("the market has removed every symbol")
