"""Bars of a cluster: every server takes them, and all apply them in the order of one stream, with the same result."""

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Sequence

from glasstape_server.broker.append import AlreadyAppended, StreamFull, append_entry
from glasstape_server.broker.connection import Broker, BrokerUnavailable
from glasstape_server.broker.reader import MalformedEntry, StreamGap, StreamReader
from glasstape_server.broker.streams import Stream, stream_state
from glasstape_server.cluster.bar_entries import (
    BarEntry,
    Change,
    InvalidBarEntry,
    Removal,
    Renaming,
    decode,
    encode,
)
from glasstape_server.cluster.bar_runs import join, received, runs
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.errors import (
    DataLoss,
    GlasstapeError,
    ResourceExhausted,
    Unavailable,
)
from glasstape_server.market.clock import Clock
from glasstape_server.market.draft import Batch, Report
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.store import BarStore

log = logging.getLogger(__name__)

SUBMIT_TIMEOUT_S = 15.0
"""Longest time for a change to be stored by the brokers and applied here; an election of theirs takes up to 9 s."""
RESEND_S = 0.2
"""Pause before a change without an acknowledgment is sent again."""
RETRY_S = 1.0
QUEUED_ENTRIES = 256
"""Entries that are read ahead of the store."""
_Outcome = Report | int | GlasstapeError
"""Report of a batch, number of bars that a correction changed, or the error that an entry ended with."""
_MACHINE_ERRORS = (ResourceExhausted, Unavailable, DataLoss)
"""Errors of this machine: an entry is applied once they are over. Any other is the result of the entry."""


class ReplicatedIngest(Ingest):
    """Stores batches in the order of the cluster's stream. The brokers hold what it acknowledges."""

    def __init__(self, store: BarStore, clock: Clock, broker: Broker, stream: Stream) -> None:
        """Take over a store, which is the projection of the stream; `start` begins to read it.

        Raises:
            AnotherCluster: the bars are another cluster's.
            sqlite3.DatabaseError, OSError: the database cannot be used.
        """
        super().__init__(store, clock)
        self._broker, self.stream = broker, stream
        self.applied = join(store, stream)
        """Sequence of the newest message of the stream that the store holds."""
        self.alarm = ""
        """Why the stream cannot be followed without a gap: an operator must look; empty: it can."""
        self._reader = StreamReader(broker, stream)
        self._noting = self.applied
        store.before_commit = self._note
        self._results: dict[str, asyncio.Future[Report | int]] = {}
        self._changed = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    @property
    def stream_error(self) -> str:
        """Why the stream cannot be read now; empty: it can."""
        return self._reader.last_error

    def start(self) -> None:
        """Begin to apply the stream."""
        self._following = asyncio.create_task(self._follow())

    async def publish(self, batch: Batch) -> Report:
        """Store a batch; on return a majority of the brokers holds it and this server has applied it.

        Raises:
            InvalidArgument: too many bars, or an instrument that breaks a rule; nothing was stored.
            ResourceExhausted: too many bars wait, or the brokers are full; nothing was stored.
            Unavailable: the server is draining, or no majority of the brokers answers.
        """
        self._check_batch(batch)
        if self._results:
            self._check_queue(batch)
        self._waiting_bars += len(batch.bars)
        try:
            report = await self._submit(batch)
        finally:
            self._waiting_bars -= len(batch.bars)
        assert isinstance(report, Report)
        return report

    async def remove_bars(self, key: SeriesKey, first: int, last: int, principal: str = "") -> int:
        """Remove stored bars on every server. See `BarStore.remove_bars`."""
        return await self._correct_everywhere(Removal(key, first, last, principal))

    async def rename_symbol(self, symbol: str, new_symbol: str, principal: str = "") -> int:
        """Rename a symbol on every server. See `BarStore.rename_symbol`."""
        return await self._correct_everywhere(Renaming(symbol, new_symbol, principal))

    async def catch_up(self) -> None:
        """Apply everything that the brokers hold by now.

        Raises:
            BrokerUnavailable: they cannot be asked.
            BrokerRefused: the stream is gone, or another cluster's.
        """
        last = (await stream_state(self._broker, self.stream)).last
        while self.applied < last:
            await self._changed.wait()

    async def close(self) -> None:
        """Accept no more batches, stop to follow the stream, close the store."""
        self.refuse()
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await super().close()

    async def _correct_everywhere(self, change: Change) -> int:
        count = await self._submit(change)
        assert isinstance(count, int)
        return count

    async def _submit(self, change: Change) -> Report | int:
        """Append a change to the stream, and return its result once it is applied here.

        The id is of the call, not of the content: a caller that repeats a batch gets the verdict of the rules, and
        a correction that is undone and done again is three changes.

        Raises:
            GlasstapeError: the change was refused, or it is unknown whether it was stored.
        """
        self._check_not_draining()
        entry = BarEntry(secrets.token_hex(16), self.clock.now(), change)
        result: asyncio.Future[Report | int] = asyncio.get_running_loop().create_future()
        self._results[entry.entry_id] = result
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT_S):
                await self._append(await asyncio.to_thread(encode, entry), entry.entry_id, result)
                return await result
        except TimeoutError:
            reason = self.alarm or self.last_error or self.stream_error or "this server lags"
            raise _unavailable(f"whether they are stored is unknown: {reason}; send them again") from None
        finally:
            del self._results[entry.entry_id]

    async def _append(self, payload: bytes, entry_id: str, result: "asyncio.Future[Report | int]") -> None:
        """Append an entry, again and again until the brokers acknowledge it or it is applied.

        Raises:
            Unavailable: no broker is connected; nothing was sent.
            ResourceExhausted: the brokers have no space left.
        """
        if not self._broker.connected:
            raise _unavailable("no broker is connected")
        while not result.done():
            try:
                await append_entry(self._broker, self.stream, payload, entry_id)
            except AlreadyAppended:
                return
            except StreamFull as error:
                raise ResourceExhausted(
                    "STORAGE_FULL", f"the brokers cannot store bars: {error}", retry_after=5.0
                ) from None
            except BrokerUnavailable as error:
                log.debug("bars: %s", error)
                await asyncio.sleep(RESEND_S)
            else:
                return

    async def _follow(self) -> None:
        """Read the stream and apply it, again and again."""
        while True:
            queue: asyncio.Queue[tuple[BarEntry, int]] = asyncio.Queue(QUEUED_ENTRIES)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._fetch(queue))
                    group.create_task(self._apply_queued(queue))
            except ExceptionGroup as failed:
                self._report(failed.exceptions[0])
            await asyncio.sleep(RETRY_S)

    async def _fetch(self, queue: asyncio.Queue[tuple[BarEntry, int]]) -> None:
        async for entry in self._reader.entries(self.applied):
            try:
                bars = decode(entry.payload)
            except InvalidBarEntry as error:
                raise InvalidBarEntry(f"stream {self.stream.name}, message {entry.last}: {error}") from None
            await queue.put((bars, entry.last))

    async def _apply_queued(self, queue: asyncio.Queue[tuple[BarEntry, int]]) -> None:
        while True:
            entries = [await queue.get()]
            while not queue.empty():
                entries.append(queue.get_nowait())
            for run in runs(entries):
                outcomes = await self._apply_until_done([entry for entry, _ in run], run[-1][1])
                self.last_error = self.alarm = ""
                self.applied = run[-1][1]
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
                for (entry, _), outcome in zip(run, outcomes, strict=True):
                    self._answer(entry.entry_id, outcome)
                self._notify([outcome for outcome in outcomes if isinstance(outcome, Report)])

    async def _apply_until_done(self, entries: Sequence[BarEntry], through: int) -> Sequence[_Outcome]:
        """Apply entries in one transaction, again and again while this machine cannot; return their results."""
        while True:
            try:
                return await self._apply(entries, through)
            except _MACHINE_ERRORS as error:
                if not self.last_error:
                    log.error("bars: committed bars cannot be stored: %s", error)
                self.last_error = error.message
            await asyncio.sleep(RETRY_S)

    async def _apply(self, entries: Sequence[BarEntry], through: int) -> Sequence[_Outcome]:
        """Apply entries, and note how far the store goes in the same transaction.

        Raises:
            ResourceExhausted, Unavailable, DataLoss: this machine cannot store them now.
        """
        store, first = self.store, entries[0]
        self._noting = through
        try:
            match first.change:
                case Batch():
                    return await self._store([received(entry) for entry in entries], first.received)
                case Removal(key, start, end, principal):
                    removing = (store.remove_bars, key, start, end, first.received, principal)
                    return [await self._apply_correction(key[:1], *removing)]
                case Renaming(symbol, new_symbol, principal):
                    renaming = (store.rename_symbol, symbol, new_symbol, first.received, principal)
                    return [await self._apply_correction((symbol, new_symbol), *renaming)]
        except _MACHINE_ERRORS:
            raise
        except GlasstapeError as error:
            await self.run_on_market_thread(self._note_applied)
            return [error]

    async def _store(self, batches: Sequence[Batch], now: int) -> Sequence[_Outcome]:
        for batch in batches:
            await self._load_calendars_of(batch)
        reports, newest, backfilled = await self.run_on_market_thread(self._publish_batches, batches, now)
        self.clock.saw_backfill(backfilled)
        self.clock.saw_bars(newest)
        return reports

    def _note_applied(self) -> None:
        with self.store.writing():
            pass  # the store writes the note within every transaction

    def _note(self, db: sqlite3.Connection) -> None:
        row = (self.stream.name, self.stream.cluster_id, self._noting)
        db.execute("INSERT OR REPLACE INTO stream VALUES (?,?,?)", row)

    def _answer(self, entry_id: str, outcome: _Outcome) -> None:
        """Hand a result to the call that sent the entry, if that was here."""
        result = self._results.get(entry_id)
        if result is None or result.done():
            return
        if isinstance(outcome, GlasstapeError):
            result.set_exception(outcome)
        else:
            result.set_result(outcome)

    def _report(self, error: Exception) -> None:
        if not isinstance(error, StreamGap | MalformedEntry | InvalidBarEntry):
            log.error("bars: the stream cannot be followed", exc_info=error)
            return
        if self.alarm != str(error):
            log.error("bars: %s; this server applies nothing more", error)
        self.alarm = str(error)


def _unavailable(reason: str) -> Unavailable:
    return Unavailable("BROKER_UNAVAILABLE", f"the cluster takes no bars now: {reason}", retry_after=1.0)
