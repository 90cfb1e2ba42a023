"""Applies the journal's stream to the projection, and wakes those that wait for it."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from glasstape_server.broker.connection import Broker
from glasstape_server.broker.reader import MalformedEntry, StreamEntry, StreamGap, StreamReader
from glasstape_server.broker.streams import Stream
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.signals.journal.jetstream.entries import Applicable, Burst, InvalidEntry, decode
from glasstape_server.signals.journal.jetstream.projection import Projection
from glasstape_server.signals.journal.journal import AppendUnknown
from glasstape_server.signals.journal.records import Position
from glasstape_server.signals.journal.tail import CommitTail

T = TypeVar("T")
log = logging.getLogger(__name__)

APPLY_TIMEOUT_S = 10.0
"""Longest wait until what the brokers have committed is in the projection."""
RETRY_S = 1.0
QUEUED_ENTRIES = 64
"""Entries that are read ahead of the projection."""


class ProjectionWriter:
    """The one task that writes a projection: from the stream, in order, on the journal's thread."""

    def __init__(
        self, projection: Projection, broker: Broker, stream: Stream, tail: CommitTail, executor: Executor
    ) -> None:
        """Describe the task; `start` begins it.

        Args:
            projection: what is written.
            broker: connection to the brokers.
            stream: of events.
            tail: gets every burst that is applied.
            executor: runs what writes, one call at a time.
        """
        self.degraded_reason = ""
        """Why committed events cannot be applied now; empty: they can."""
        self.alarm = ""
        """Why the stream cannot be followed without a gap: an operator must look; empty: it can."""
        self._projection = projection
        self._stream = stream
        self._reader = StreamReader(broker, stream)
        self._tail = tail
        self._executor = executor
        self._changed = asyncio.Event()
        self._sent: tuple[bytes, Burst] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def last_error(self) -> str:
        """Why the stream cannot be read now; empty: it can."""
        return self._reader.last_error

    @property
    def applied(self) -> int:
        """Sequence of the newest message of the stream that is applied."""
        return self._projection.state.through

    def start(self) -> None:
        """Begin to read the stream."""
        self._task = asyncio.create_task(self._follow(asyncio.Queue(QUEUED_ENTRIES)))

    def stop(self) -> None:
        """Stop to read it."""
        if self._task is not None:
            self._task.cancel()

    def expect(self, payload: bytes, burst: Burst) -> None:
        """Take what this server is about to append: it need not be decoded when it comes back."""
        self._sent = payload, burst

    async def applied_through(self, sequence: int) -> None:
        """Wait until the projection holds a message of the stream.

        Raises:
            AppendUnknown: it takes too long; the text says why.
        """
        try:
            async with asyncio.timeout(APPLY_TIMEOUT_S):
                while self.applied < sequence:
                    await self._changed.wait()
        except TimeoutError:
            reason = self.alarm or self.degraded_reason or self.last_error or "it lags"
            text = f"this server has applied message {self.applied} of {sequence}: {reason}"
            raise AppendUnknown(text) from None

    async def _follow(self, queue: asyncio.Queue[StreamEntry]) -> None:
        """Read the stream and apply it, again and again."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._fetch(queue))
                    group.create_task(self._apply_queued(queue))
            except ExceptionGroup as failed:
                self._report(failed.exceptions[0])
            while not queue.empty():
                queue.get_nowait()
            await asyncio.sleep(RETRY_S)

    async def _fetch(self, queue: asyncio.Queue[StreamEntry]) -> None:
        async for entry in self._reader.entries(self.applied):
            await queue.put(entry)

    async def _apply_queued(self, queue: asyncio.Queue[StreamEntry]) -> None:
        while True:
            entries = [await queue.get()]
            while not queue.empty():
                entries.append(queue.get_nowait())
            await self._run(self._apply, entries)
            self.alarm = self.degraded_reason = ""
            self._tail.wake()
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    def _apply(self, entries: Sequence[StreamEntry]) -> None:
        """Check and apply entries, on the journal's thread."""
        end = self._projection.state.bounds.end
        applicable: list[Applicable] = []
        for entry in entries:
            item = self._decoded(entry, end)
            applicable.append(item)
            if isinstance(item, Burst) and item.records:
                end = item.records[-1].position
        self._projection.apply(applicable, entries[-1].last, before_visible=self._tail.add)

    def _decoded(self, entry: StreamEntry, end: Position) -> Applicable:
        sent = self._sent
        if sent is not None and sent[0] == entry.payload:
            self._sent = None
            return sent[1]  # as this server encoded it: it follows, or the brokers would have refused it
        try:
            return decode(entry.payload, end)
        except InvalidEntry as error:
            raise InvalidEntry(f"stream {self._stream.name}, message {entry.last}: {error}") from None

    def _report(self, error: Exception) -> None:
        if isinstance(error, StreamGap | MalformedEntry | InvalidEntry):
            if self.alarm != str(error):
                log.error("journal: %s; this server applies nothing more", error)
            self.alarm = str(error)
            return
        text = error.message if isinstance(error, GlasstapeError) else str(error)
        if isinstance(error, sqlite3.DatabaseError | GlasstapeError | OSError):
            if not self.degraded_reason:
                log.error("journal: the projection cannot be written: %s", text)
        else:
            log.error("journal: the stream cannot be followed", exc_info=error)
        self.degraded_reason = f"committed events cannot be applied: {text}"

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
