"""The way in for every source: one queue, one market thread, one transaction for all that waits."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, ResourceExhausted, Unavailable
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, Key, Report
from glasstape_server.market.rules import check_instrument
from glasstape_server.market.store import BarStore

MAX_BATCH_BARS = 16_384
MAX_WAITING_BARS = 131_072

T = TypeVar("T")
log = logging.getLogger(__name__)


class Ingest:
    """Stores batches durably and tells the feed which bars closed."""

    def __init__(self, store: BarStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.on_closed: Callable[[list[tuple[Key, int]]], None] = lambda closed: None
        """Called on the event loop after bars are durable, with series and close times to signal."""
        self._thread = ThreadPoolExecutor(1, "market")
        self._waiting: list[tuple[Batch, asyncio.Future[Report]]] = []
        self._waiting_bars = 0
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self.trouble = ""
        """Why bars cannot be stored; empty: they can."""
        self._full = False
        """Whether that is a disk without room."""
        newest = store.newest_close()
        if newest is not None:
            clock.saw_bar(newest)

    def refuse(self) -> None:
        """Take no more batches: the server is draining."""
        self._closed = True

    async def publish(self, batch: Batch) -> Report:
        """Store a batch; on return everything reported as stored is on disk.

        Raises:
            InvalidArgument: too many bars, or an instrument that breaks a rule; nothing was stored.
            ResourceExhausted: too many bars wait, or the disk is full; nothing was stored.
        """
        if len(batch.bars) > MAX_BATCH_BARS:
            raise InvalidArgument.field("bars", f"at most {MAX_BATCH_BARS} in a batch, has {len(batch.bars)}")
        for instrument in batch.instruments:
            check_instrument(instrument)
        if self._closed:
            raise Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        if self._waiting and self._waiting_bars + len(batch.bars) > MAX_WAITING_BARS:
            raise ResourceExhausted(
                "QUEUE_FULL", f"{self._waiting_bars} bars wait to be stored", retry_after=0.5
            )
        future: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        self._waiting_bars += len(batch.bars)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await future

    async def read(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a method of the store on the market thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    @property
    def waiting(self) -> int:
        """Bars that wait to be stored."""
        return self._waiting_bars

    async def try_again(self) -> None:
        """See whether a disk that was full has room by now, so that nobody has to send a bar to find out.

        Whatever else went wrong is over when bars are stored again, and not before.
        """
        if not self._full:
            return
        try:
            await self.read(self.store.probe_write)
        except GlasstapeError as error:
            self.trouble = error.message
        else:
            self.trouble, self._full = "", False

    async def close(self) -> None:
        """Take no more, finish what waits, close the store."""
        self.refuse()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self.read(self.store.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            self._waiting_bars = 0
            try:
                reports = await self.read(self.store.publish, [batch for batch, _ in taken], self.clock.now())
            except Exception as error:
                if not self.trouble:
                    log.error("%d batches of bars were not stored: %s", len(taken), error)
                self.trouble, self._full = str(error), isinstance(error, ResourceExhausted)
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            self.trouble, self._full = "", False
            closed = [item for report in reports for item in report.closed]
            for _, close_time in closed:
                self.clock.saw_bar(close_time)
            for (_, future), report in zip(taken, reports, strict=True):
                if not future.done():
                    future.set_result(report)
            if closed:
                self.on_closed(closed)
