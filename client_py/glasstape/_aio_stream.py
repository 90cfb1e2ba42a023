"""The asyncio stream; see `_stream`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape import _fork
from glasstape._aio_transport import OTHER_LOOP, AsyncTransport, ignore_closed_loops
from glasstape._convert.batches import StreamResponse
from glasstape._outage import OutageLog
from glasstape._resume import FOLLOW, StreamState, ended, inherited, read_twice, silent
from glasstape.errors import PreconditionError
from glasstape.types.signals import Event, EventBatch, StreamMessage


class AsyncSignalStream:
    """See `SignalStream`; iterate with `async for`."""

    def __init__(
        self,
        connection: AsyncTransport,
        state: StreamState,
        on_notice: Callable[[StreamMessage], None] | None,
    ) -> None:
        connection.check_open()
        self._connection = connection
        self._state = state
        self._on_notice = on_notice
        self._call: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop on which reading began."""
        self._closed = asyncio.Event()
        self._started = self._interrupted = self._inherited = False
        connection.add(self)
        _fork.track(self)

    @property
    def resume_token(self) -> bytes:
        """See `SignalStream.resume_token`."""
        return self._state.resume_token

    @property
    def through_sequence(self) -> int:
        """See `SignalStream.through_sequence`."""
        return self._state.through_sequence

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        """See `SignalStream.__iter__`."""
        return self._events(self.messages())

    def messages(self) -> AsyncIterator[StreamMessage]:
        """See `SignalStream.messages`."""
        if self._inherited:
            raise inherited()
        if self._started:
            raise read_twice()
        self._started = True
        return self._messages()

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
        self._cancel()

    def interrupt(self) -> None:
        """See `SignalStream.interrupt`."""
        if self._call is not None and not self._call.done():
            self._interrupted = True
            self._cancel()

    def fork_obstacle(self) -> str:
        """See `SignalStream.fork_obstacle`."""
        return ""  # the channel of the connection is one

    def abandon(self) -> list[Any]:
        """See `SignalStream.abandon`."""
        call, self._call, self._inherited = self._call, None, True
        return [] if call is None else [call]

    async def _events(self, messages: AsyncIterator[StreamMessage]) -> AsyncIterator[Event]:
        outages = OutageLog(str(self._connection.settings.address))
        async for message in messages:
            if self._on_notice is None:
                outages.note(message)
            if isinstance(message, EventBatch):
                for event in message.events:
                    yield event
            elif self._on_notice is not None:
                self._on_notice(message)

    async def _messages(self) -> AsyncIterator[StreamMessage]:
        self._loop = asyncio.get_running_loop()
        try:
            while not self._closed.is_set():
                self._state.opening()
                try:
                    await self._open()
                    while (response := await self._next()) is not grpc.aio.EOF:
                        self._connection.answered()
                        message = self._state.accept(response)
                        if message is not None:
                            yield message
                        self._state.handled()
                    if self._closed.is_set():
                        return
                    if self._interrupted:
                        continue
                    notice: StreamMessage | None = self._state.over()
                except PreconditionError:
                    if self._connection.closed:
                        return
                    raise
                except grpc.aio.AioRpcError as error:
                    if self._closed.is_set():
                        return
                    failure = ended(error, self._connection.failure(error))
                    notice = self._state.failed(await self._connection.settled(failure))
                except TimeoutError:
                    notice = self._state.failed(silent())
                finally:
                    self._cancel()
                if notice is not None:
                    yield notice
                await self._pause()
        finally:
            self.close()

    async def _open(self) -> None:
        self._check_reader()
        if _fork.forking():  # in another thread
            await asyncio.to_thread(_fork.wait)
        self._interrupted = False
        self._call = self._connection.stream(FOLLOW[0], StreamResponse, self._state.request())
        if self._closed.is_set():
            self._cancel()

    def _check_reader(self) -> None:
        """Check that the process and the event loop that began to read the stream read on.

        Raises:
            PreconditionError: others do.
        """
        if self._inherited:
            raise inherited()
        if self._loop is not asyncio.get_running_loop():
            ignore_closed_loops()
            raise read_on_other_loop()

    async def _next(self) -> Any:
        self._check_reader()
        try:
            async with asyncio.timeout(self._state.silence):
                return await self._call.read()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            stopped = self._closed.is_set() or self._interrupted
            if stopped and not (task and task.cancelling()):
                return grpc.aio.EOF  # another task closed the stream, or the process forks
            raise

    def _cancel(self) -> None:
        call = self._call
        if call is not None:
            call.cancel()

    async def _pause(self) -> None:
        self._check_reader()
        try:
            async with asyncio.timeout(self._state.delay):
                await self._closed.wait()
        except TimeoutError:
            return  # the time to connect again


def read_on_other_loop() -> PreconditionError:
    """Return the error of a stream that another event loop goes on to read."""
    return PreconditionError(
        "this stream is read by another event loop: open another with signals(resume_token=stream.resume_token)",
        reason=OTHER_LOOP,
    )
