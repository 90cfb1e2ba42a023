"""`glasstape follow`: bars of a market, complete and in order, to a Glasstape server.

Three tasks share a `CloseBook`: a `LiveReader`, one that requests what is missing by `history`, one that publishes.
The state is the server's stored bars alone: a follower that was killed continues after them.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from glasstape._aio import AsyncClient
from glasstape._outage import OutageLog
from glasstape.sources.bar_publisher import BarPublisher, ServerLostError
from glasstape.sources.close_book import CloseBook
from glasstape.sources.errors import SourceError, SourceUnavailableError, UnknownSymbolError
from glasstape.sources.follow_stats import FollowState, FollowStats
from glasstape.sources.history_filler import HistoryFiller
from glasstape.sources.history_parts import OnProgress
from glasstape.sources.live_reader import LiveReader
from glasstape.sources.source import Source
from glasstape.sources.timing import Backoff, MarketClock, SystemTimer, Timer
from glasstape.types.market import INTERVALS, Instrument

DEFAULT_HISTORY = 500
"""Bars before now that a symbol without stored bars starts with, unless `since` says otherwise."""

FIRST_ANSWER_S = 4.0
"""Timeout of the first call to the server, so that one that does not answer is reported early."""

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
        self._live = LiveReader(
            source,
            options.interval,
            self._book,
            self._clock,
            self._timer,
            self.stats,
            self._drop,
            self._wake,
        )
        self._outages = OutageLog(
            client.address, lost="bars are not accepted, trying again", ended="bars are accepted again"
        )
        self._changed = asyncio.Event()
        self._behind = asyncio.Event()
        self._positioning = asyncio.Lock()
        self._instruments: Sequence[Instrument] = ()
        self._started = False

    async def run(self) -> None:
        """Follow until canceled.

        Raises:
            SourceError: the market refuses for good, or has none of the symbols.
            GlasstapeError: the server refuses for good.
        """
        await self._start()
        try:
            async with asyncio.TaskGroup() as group:
                for loop in (self._live.run, self._fill_loop, self._publish_loop):
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
            UnknownSymbolError: of a symbol that is not followed.
        """
        backoff = Backoff(self._timer)
        symbols = list(dict.fromkeys(self._options.symbols))
        while True:
            try:
                await self._clock.sync()
                instruments = await self._source.instruments(symbols)
                break
            except UnknownSymbolError as error:
                if error.symbol not in symbols:
                    raise
                symbols.remove(error.symbol)
                self._drop(error)
                if not symbols:
                    raise NothingToFollowError("the market has none of the symbols") from None
            except SourceUnavailableError as error:
                await self._retry(backoff, error)
        self._instruments = instruments
        await self._position(symbols)
        self._started = True

    async def _position(self, symbols: Sequence[str]) -> None:
        """Start every symbol after its newest stored bar, as soon as the server is available."""
        async with self._positioning:
            backoff = Backoff(self._timer, longest=10.0)
            timeout: float | None = FIRST_ANSWER_S
            while True:
                try:
                    await self._publisher.describe(self._instruments, timeout)
                    now = self._clock.estimate()
                    stored = {symbol: await self._publisher.stored(symbol, now) for symbol in symbols}
                    break
                except ServerLostError as error:
                    timeout = None  # a slow server gets the time that the client allows
                    self._note_outage(error)
                    await self._timer.sleep(backoff.delay())
            self._outages.end()
            first = self._options.since or now - DEFAULT_HISTORY * self._length
            for symbol, bars in stored.items():
                if symbol in self.stats.dropped:
                    continue
                if bars:
                    self.stats.last_close[symbol] = bars[-1].close_time
                self._book.start(symbol, bars[-1].close_time if bars else first, bars)
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
                        self._live.restart("a symbol was removed")
                    self._changed.set()
                elif self._live.is_silent(now, self._options.grace):
                    await self._probe(now)
                backoff.connected()
            except SourceUnavailableError as error:
                await self._retry(backoff, error)
            except ServerLostError as error:
                await self._lost_server(error)
            else:
                await self._wait_for_polls()

    async def _wait_for_polls(self) -> None:
        now = self._clock.estimate()
        seconds = (self._book.next_poll(now) - now).total_seconds()
        await self._timer.wait(self._behind, max(0.05, seconds))

    async def _probe(self, now: datetime) -> None:
        """Connect again if the market has bars that the live connection did not name."""
        symbol = max(self._book.symbols, key=lambda name: self._book.position(name)[0])
        if await self._filler.probe(symbol):
            self._live.restart("the live connection is silent while the market has new bars")
        else:
            self._live.excuse(now)  # a closed market: look again after one interval

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
        self._note_outage(error)
        await self._position(self._book.symbols)
        self.stats.state = FollowState.LIVE if self._live.connected else FollowState.DISCONNECTED

    async def _retry(self, backoff: Backoff, error: SourceUnavailableError) -> None:
        self.stats.last_error = str(error)
        await backoff.pause(error)

    def _wake(self) -> None:
        self._changed.set()
        self._behind.set()

    def _note_outage(self, error: ServerLostError) -> None:
        self.stats.state, self.stats.last_error = FollowState.SERVER_UNAVAILABLE, str(error)
        self._outages.begin(error)

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
        if self._started and not self._book.symbols:
            raise NothingToFollowError("the market has removed every symbol")
