"""The entry of all sources: one queue, one market thread, one transaction for every batch that waits."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from glasstape import calendars

from glasstape_server.domain.bars import Bar, Instrument, SeriesKey
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument, ResourceExhausted, Unavailable
from glasstape_server.domain.limits import MAX_BATCH_BARS, MAX_WAITING_BARS
from glasstape_server.market.calendars import MarketCalendars
from glasstape_server.market.clock import Clock, Due
from glasstape_server.market.cross_sections import CrossSections
from glasstape_server.market.database import read_error
from glasstape_server.market.draft import Batch, BatchMode, Report
from glasstape_server.market.rules import check_instrument
from glasstape_server.market.spacing import SHORTENED
from glasstape_server.market.store import BarStore

CALENDAR_TIMEOUT_S = 90.0
"""Longest time that signals wait for the calendars of exchanges. Reading one takes seconds."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Ingest:
    """Stores batches durably and reports which bars closed."""

    def __init__(
        self, store: BarStore, clock: Clock, *, calendar_timeout: float = CALENDAR_TIMEOUT_S
    ) -> None:
        """Take over a store; notes in `clock` how fresh its bars are.

        Args:
            store: bars.
            clock: market time.
            calendar_timeout: longest time that signals wait for the calendar of an exchange, in seconds.
        """
        self.store = store
        self.clock = clock
        self.calendars = MarketCalendars(store)
        """To be used on the market thread."""
        self.cross_sections = CrossSections(store, self.calendars)
        """To be used on the market thread."""
        self.on_closed: Callable[[list[tuple[SeriesKey, int]]], None] = lambda closed_bars: None
        """Called on the event loop after bars are durable, with series and close times to signal."""
        self.on_quotes: Callable[[Sequence[Bar]], None] = lambda bars: None
        """Called on the event loop with provisional bars that were taken."""
        self._thread = ThreadPoolExecutor(1, "market")
        self._waiting: list[tuple[Batch, asyncio.Future[Report]]] = []
        self._waiting_bars = 0
        self._writer: asyncio.Task[None] | None = None
        self._draining = False
        self.last_error = ""
        """Why bars cannot be stored; empty: they can."""
        self._full = False
        """Whether that is a full disk."""
        self._calendar_timeout = calendar_timeout
        self._unread_exchanges: set[str] = set()
        """Exchanges whose calendars are not loaded yet."""
        self._reading: asyncio.Task[None] | None = None
        self._note_exchanges(store.instruments.values())
        clock.restore_backfills(self.calendars.backfills_stored())
        clock.saw_bars(self.calendars.newest_stored())

    def refuse(self) -> None:
        """Accept no more batches: the server is draining."""
        self._draining = True

    async def publish(self, batch: Batch) -> Report:
        """Store a batch; on return everything reported as stored is on disk.

        Raises:
            InvalidArgument: too many bars, or an instrument that breaks a rule; nothing was stored.
            ResourceExhausted: too many bars wait, or the disk is full; nothing was stored.
            Unavailable: the server is draining.
        """
        self._check_batch(batch)
        self._check_not_draining()
        await self._load_calendars_of(batch)
        self._check_not_draining()
        if self._waiting:
            self._check_queue(batch)
        future: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, future))
        self._waiting_bars += len(batch.bars)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await future

    async def remove_bars(self, key: SeriesKey, first: int, last: int, principal: str = "") -> int:
        """Remove stored bars; on return it is on disk. See `BarStore.remove_bars`."""
        removed = await self._correct(
            key[:1], self.store.remove_bars, key, first, last, self.clock.now(), principal
        )
        log.info("%s removed %d %s bars of %s", principal, removed, key[1], key[0])
        return removed

    async def rename_symbol(self, symbol: str, new_symbol: str, principal: str = "") -> int:
        """Rename a symbol; on return it is on disk. See `BarStore.rename_symbol`."""
        symbols = (symbol, new_symbol)
        moved = await self._correct(symbols, self.store.rename_symbol, *symbols, self.clock.now(), principal)
        log.info("%s renamed %s to %s: %d bars", principal, symbol, new_symbol, moved)
        return moved

    async def run_on_market_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a method of the store on the market thread.

        Raises:
            Unavailable: the database cannot be read now.
            DataLoss: it is damaged.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except sqlite3.DatabaseError as error:
            raise read_error(error, self.store.path) from None

    @property
    def waiting(self) -> int:
        """Bars that wait to be stored."""
        return self._waiting_bars

    def load_calendars(self) -> None:
        """Start to load the calendars of exchanges that instruments name, in the background."""
        if self._unread_exchanges and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._load_calendars())

    async def calendars_loaded(self) -> None:
        """Wait for the calendars of all exchanges that instruments name, at most `calendar_timeout`."""
        while self._unread_exchanges:
            self.load_calendars()
            assert self._reading is not None
            await asyncio.shield(self._reading)

    async def probe_disk(self) -> None:
        """Check whether a full disk has free space again, without waiting for the next batch.

        Any other error is cleared when bars are stored again.
        """
        if not self._full:
            return
        try:
            await self.run_on_market_thread(self.store.probe_write)
        except GlasstapeError as error:
            self.last_error = error.message
        else:
            self.last_error, self._full = "", False

    async def close(self) -> None:
        """Accept no more batches, finish those that wait, close the store."""
        self.refuse()
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            await asyncio.wait([self._writer])
        await self.run_on_market_thread(self.store.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            self._waiting_bars = 0
            try:
                reports, newest, backfilled = await self.run_on_market_thread(
                    self._publish_batches, [batch for batch, _ in taken], self.clock.now()
                )
            except Exception as error:
                if not self.last_error:
                    log.error("%d batches of bars were not stored: %s", len(taken), error)
                if not isinstance(error, Unavailable):  # a lost lease is reported by itself
                    self.last_error, self._full = str(error), isinstance(error, ResourceExhausted)
                for _, future in taken:
                    if not future.done():
                        future.set_exception(error)
                continue
            self.last_error, self._full = "", False
            self.clock.saw_backfill(backfilled)
            self.clock.saw_bars(newest)
            for (_, future), report in zip(taken, reports, strict=True):
                if not future.done():
                    future.set_result(report)
            self._notify(reports)

    def _notify(self, reports: Sequence[Report]) -> None:
        """Pass on what batches that are stored brought."""
        quotes = [bar for report in reports for bar in report.quotes]
        if quotes:
            self.on_quotes(quotes)
        closed_bars = [item for report in reports for item in report.closed]
        if closed_bars:
            self.on_closed(closed_bars)

    def _check_batch(self, batch: Batch) -> None:
        """Check the size of a batch, and its instruments.

        Raises:
            InvalidArgument: too many bars, or an instrument that breaks a rule.
        """
        if len(batch.bars) > MAX_BATCH_BARS:
            raise InvalidArgument.field("bars", f"at most {MAX_BATCH_BARS} in a batch, has {len(batch.bars)}")
        for instrument in batch.instruments:
            check_instrument(instrument)

    def _check_queue(self, batch: Batch) -> None:
        """Check that a batch may wait, too.

        Raises:
            ResourceExhausted: too many bars wait.
        """
        if self._waiting_bars + len(batch.bars) > MAX_WAITING_BARS:
            raise ResourceExhausted(
                "QUEUE_FULL", f"{self._waiting_bars} bars wait to be stored", retry_after=0.5
            )

    async def _load_calendars_of(self, batch: Batch) -> None:
        """Load the calendars of a batch's exchanges, and wait for them where they decide about its bars."""
        self._note_exchanges(batch.instruments)
        self.load_calendars()
        if self._unread_exchanges and any(bar.interval in SHORTENED for bar in batch.bars):
            await self.calendars_loaded()  # whether a bar may be short is decided by the sessions

    def _publish_batches(
        self, batches: Sequence[Batch], now: int
    ) -> tuple[list[Report], Mapping[str, Due], Mapping[str, Due]]:
        """Store batches, on the market thread; return reports, and what is due after bars and after backfills."""
        reports = self.store.publish(batches, now)
        filled = {
            (bar.symbol, bar.interval)
            for batch in batches
            if batch.mode in (BatchMode.BACKFILL, BatchMode.REPLACE)
            for bar in batch.bars
        }
        self.calendars.forget(filled)
        self.cross_sections.forget(corrected=bool(filled))
        newest = self.calendars.newest(item for report in reports for item in report.closed)
        return reports, newest, self.calendars.newest_of(filled)

    async def _correct(self, symbols: Sequence[str], change: Callable[..., int], *arguments: object) -> int:
        """Change stored bars of symbols, on the market thread; return how many."""
        self._check_not_draining()
        return await self._apply_correction(symbols, change, *arguments)

    async def _apply_correction(
        self, symbols: Sequence[str], change: Callable[..., int], *arguments: object
    ) -> int:
        def run() -> tuple[int, Mapping[str, Due]]:
            count = change(*arguments)
            self.calendars.forget_symbols(*symbols)
            self.cross_sections.forget(corrected=True)
            return count, self.calendars.newest_stored()

        count, newest = await self.run_on_market_thread(run)
        self.clock.replace_bars(newest)
        return count

    def _check_not_draining(self) -> None:
        if self._draining:
            raise Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)

    def _note_exchanges(self, instruments: Iterable[Instrument]) -> None:
        names = {instrument.exchange for instrument in instruments if instrument.exchange}
        self._unread_exchanges.update(name for name in names if not calendars.is_loaded(name))

    async def _load_calendars(self) -> None:
        names = set(self._unread_exchanges)
        futures = [asyncio.wrap_future(calendars.load_in_background(name)) for name in names]
        _, late = await asyncio.wait(futures, timeout=self._calendar_timeout)
        if late:
            log.warning("calendars were not read within %g s", self._calendar_timeout)
        # What was due by the bars' own pattern is due by the exchange's sessions from now on.
        self.clock.saw_bars(await self.run_on_market_thread(self.calendars.newest_stored))
        self._unread_exchanges -= names
