"""The asyncio stream; see `_stream`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc

from glasstape._resume import StreamState, broken, silent
from glasstape.types.signals import Event, EventBatch, StreamMessage


class AsyncSignalStream:
    """See `SignalStream`; iterate with `async for`."""

    def __init__(
        self,
        method: Callable[[Any], Any],
        state: StreamState,
        on_notice: Callable[[StreamMessage], None] | None,
    ) -> None:
        self._method = method
        self._state = state
        self._on_notice = on_notice
        self._call: Any = None
        self._closed = asyncio.Event()

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

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for message in self.messages():
            if isinstance(message, EventBatch):
                for event in message.events:
                    yield event
            elif self._on_notice is not None:
                self._on_notice(message)

    async def messages(self) -> AsyncIterator[StreamMessage]:
        """See `SignalStream.messages`."""
        try:
            while not self._closed.is_set():
                self._state.delay = 0.0
                self._call = self._method(self._state.request())
                try:
                    while (response := await self._next()) is not grpc.aio.EOF:
                        message = self._state.accept(response)
                        if message is not None:
                            yield message
                        self._state.handled()
                except grpc.aio.AioRpcError as error:
                    if self._closed.is_set():
                        return
                    yield self._state.failed(broken(error))
                except TimeoutError:
                    yield self._state.failed(silent())
                finally:
                    self._call.cancel()
                await self._pause()
        finally:
            self.close()

    def close(self) -> None:
        """End the stream."""
        self._closed.set()
        if self._call is not None:
            self._call.cancel()

    async def _next(self) -> Any:
        try:
            async with asyncio.timeout(self._state.silence):
                return await self._call.read()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed.is_set() and not (task and task.cancelling()):
                return grpc.aio.EOF  # another task closed the stream
            raise

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._state.delay):
                await self._closed.wait()
        except TimeoutError:
            return  # the time to connect again
