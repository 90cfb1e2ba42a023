"""The journal of a cluster: committed by the brokers, read from this server's projection."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from glasstape_server.broker.append import AlreadyAppended, StaleFence, StreamFull, append_entry
from glasstape_server.broker.connection import Broker, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.streams import Stream, stream_state
from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.signals.journal.batch import EventBatch
from glasstape_server.signals.journal.jetstream.entries import (
    Burst,
    burst_id,
    encode_burst,
    encode_epoch,
    encode_prune,
    entry_id,
)
from glasstape_server.signals.journal.jetstream.projection import Applied, Identity, Projection
from glasstape_server.signals.journal.jetstream.projection_writer import ProjectionWriter
from glasstape_server.signals.journal.journal import AppendUnknown, Commit, Fenced
from glasstape_server.signals.journal.records import Bounds, Position, Record
from glasstape_server.signals.journal.tail import CommitTail
from glasstape_server.storage.fence import Holder

T = TypeVar("T")
log = logging.getLogger(__name__)


class JetStreamJournal:
    """See `Journal`. What `append` commits becomes visible here as on every other server: by reading the stream."""

    def __init__(
        self,
        path: Path,
        broker: Broker,
        stream: Stream,
        identity: Identity,
        *,
        is_owner: Callable[[], bool] = lambda: False,
        lease: Holder | None = None,
    ) -> None:
        """Open the projection; `start` begins to read the stream.

        Args:
            path: of the projection.
            broker: connection to the brokers.
            stream: of events.
            identity: of the cluster.
            is_owner: whether this server leads: only the leader may begin an epoch.
            lease: of the data folder.

        Raises:
            DataLoss: a newer version wrote the projection.
            AnotherCluster: the projection is another cluster's.
            sqlite3.OperationalError, OSError: it cannot be opened now.
        """
        self._projection = Projection(path, identity, lease)
        self._broker, self._stream = broker, stream
        self._is_owner = is_owner
        self._executor = ThreadPoolExecutor(1, "journal")
        self._tail = CommitTail(lambda: self.bounds, self._read)
        self._writer = ProjectionWriter(self._projection, broker, stream, self._tail, self._executor)
        self._appending = asyncio.Lock()

    @property
    def history(self) -> Any:
        """See `History`: the projection."""
        return self._projection.history

    @property
    def secret(self) -> bytes:
        """See `Journal.secret`."""
        return self._projection.identity.secret

    @property
    def bounds(self) -> Bounds:
        """See `Journal.bounds`: of what this server has applied."""
        return self._projection.state.bounds

    @property
    def applied(self) -> int:
        """Sequence of the newest message of the stream that this server has applied."""
        return self._projection.state.through

    @property
    def stream(self) -> Stream:
        """The stream of events."""
        return self._stream

    @property
    def last_error(self) -> str:
        """Why the stream cannot be read now; empty: it can."""
        return self._writer.last_error

    @property
    def degraded_reason(self) -> str:
        """See `Journal.degraded_reason`: why committed events cannot be applied now."""
        return self._writer.degraded_reason

    @property
    def alarm(self) -> str:
        """Why the stream cannot be followed without a gap: an operator must look; empty: it can."""
        return self._writer.alarm

    def start(self) -> None:
        """Begin to read the stream."""
        self._writer.start()

    async def catch_up(self) -> None:
        """Apply everything that the brokers have committed by now.

        Raises:
            BrokerUnavailable: they cannot be asked.
            BrokerRefused: the stream is gone, or another cluster's.
            AppendUnknown: it takes longer than `APPLY_TIMEOUT_S`.
        """
        state = await stream_state(self._broker, self._stream)
        await self._writer.applied_through(state.last)

    async def append(self, batch: EventBatch, expected: int) -> Position:
        """See `Journal.append`."""
        return await self._finish(self._append(batch, expected))

    def tail(self, after: int) -> AsyncGenerator[Commit, None]:
        """See `Journal.tail`."""
        return self._tail.follow(after)

    async def confirm_loss(self, epoch: bytes, position: Position) -> bool:
        """See `Journal.confirm_loss`. Without the brokers nothing is confirmed."""
        if await self._run(self._projection.is_over, epoch):
            return True
        if not self._is_owner():
            return False
        try:
            return await self._finish(self._confirm_loss(epoch, position))
        except (BrokerUnavailable, BrokerRefused, AppendUnknown) as error:
            log.warning("journal: the loss of event %d cannot be confirmed now: %s", position.sequence, error)
            return False

    async def prune_before(self, earliest: int) -> None:
        """See `Journal.prune_before`: every server removes them at the same place of the stream.

        Raises:
            AppendUnknown: no acknowledgment came; the next call tries again.
            ResourceExhausted: the brokers have no space left.
        """
        if min(earliest, self.bounds.head) > self.bounds.earliest:
            payload = encode_prune(earliest)
            await self._finish(self._append_entry(payload, entry_id(b"prune", payload), fence=None))

    def close(self) -> None:
        """Stop to read the stream, and close the projection."""
        self._writer.stop()
        self._executor.shutdown()
        self._projection.close()

    async def _append(self, batch: EventBatch, expected: int) -> Position:
        state = self._projection.state
        if expected == state.bounds.head:
            payload, records = await self._run(self._encode, batch, state)
            try:
                await self._append_entry(payload, burst_id(batch, state.bounds.end), state.through)
            except (StaleFence, AlreadyAppended) as error:
                await self._catch_up_or_unknown()
                if isinstance(error, AlreadyAppended) and not records:
                    return self.bounds.end
            else:
                return records[-1].position if records else self.bounds.end
        return await self._run(self._find_duplicate_append, batch, expected)

    async def _append_entry(self, payload: bytes, identity: str, fence: int | None) -> None:
        """Append an entry, and wait until this server has applied it.

        Raises:
            ResourceExhausted: the brokers have no space left.
            AppendUnknown: no acknowledgment came.
        """
        try:
            sequence = await append_entry(self._broker, self._stream, payload, identity, fence)
        except StreamFull as error:
            text = f"the brokers cannot store events: {error}"
            raise ResourceExhausted("STORAGE_FULL", text, retry_after=5.0) from None
        except BrokerUnavailable as error:
            raise AppendUnknown(str(error)) from None
        await self._writer.applied_through(sequence)

    async def _catch_up_or_unknown(self) -> None:
        try:
            await self.catch_up()
        except (BrokerUnavailable, BrokerRefused) as error:
            raise AppendUnknown(str(error)) from None

    def _encode(self, batch: EventBatch, state: Applied) -> tuple[bytes, Sequence[Record]]:
        records = batch.records(state.bounds.end)
        payload = encode_burst(batch, records, state.bounds.end)
        self._writer.expect(payload, Burst(records, batch.windows, dict(batch.progress), batch.resolved))
        return payload, records

    def _find_duplicate_append(self, batch: EventBatch, expected: int) -> Position:
        """Return the end of a batch that was appended before, by any server.

        Raises:
            Fenced: it was not.
        """
        records = self.history.read(expected, len(batch)) if len(batch) else []
        if not records or [record.event_id for record in records] != batch.event_ids:
            raise Fenced(f"the journal ends at {self.bounds.head}, expected {expected}")
        end: Position = records[-1].position
        return end

    async def _confirm_loss(self, epoch: bytes, position: Position) -> bool:
        while True:
            await self.catch_up()
            state = self._projection.state
            if epoch != state.bounds.epoch:
                return True
            if not await self._run(self._is_lost, position):
                return False
            log.error(
                "journal: a resume token names event %d, which the journal (head %d) does not hold: "
                "history was lost, a new epoch begins",
                position.sequence,
                state.bounds.head,
            )
            payload = encode_epoch(secrets.token_bytes(8), epoch)
            try:
                await self._append_entry(payload, entry_id(b"epoch", epoch), state.through)
            except (StaleFence, AlreadyAppended):
                continue
            return True

    def _is_lost(self, position: Position) -> bool:
        bounds = self.bounds
        if position.sequence > bounds.head:
            return True
        if position.sequence < bounds.earliest - 1:
            return False
        return bool(self.history.chain_at(position.sequence) != position.chain)

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one change of the stream at a time, to its end even if the caller is gone."""

        async def alone() -> T:
            async with self._appending:
                return await work

        running = asyncio.ensure_future(alone())
        running.add_done_callback(lambda done: done.cancelled() or done.exception())  # the caller may be gone
        return await asyncio.shield(running)

    async def _read(self, after: int, limit: int) -> Sequence[Record]:
        records: Sequence[Record] = await self._run(self.history.read, after, limit)
        return records

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
