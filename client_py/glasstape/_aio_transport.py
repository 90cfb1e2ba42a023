"""How the asyncio client sends calls; see `_transport`."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from glasstape import _fork
from glasstape._connection import Connection, closed_error
from glasstape._options import Settings
from glasstape._retry import Attempts
from glasstape.errors import GlasstapeError, PreconditionError

if TYPE_CHECKING:
    from glasstape._call import Call

T = TypeVar("T")

OTHER_LOOP = "OTHER_EVENT_LOOP"
"""Reason of the error of a client that is used on two event loops."""

_channels: "weakref.WeakSet[grpc.aio.Channel]" = weakref.WeakSet()
"""Channels that exist: gRPC polls them in a thread of its own, which a forked process does not have."""

_loops: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()
"""Loops that opened a channel."""


class AsyncTransport(Connection[grpc.aio.Channel]):
    """See `Transport`. It belongs to the event loop of its first call, until that loop is closed."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        """See `Transport.close`.

        Raises:
            PreconditionError: another event loop uses the connection.
        """
        if self._in_use_elsewhere():
            raise _other_loop()
        ignore_closed_loops()
        channel = self._end()
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()

    async def run(self, call: "Call[T]", timeout: timedelta | float | None = None) -> T:
        """See `Transport.run`."""
        return call.value(await self._retried(call, self.seconds(timeout)))

    def pages(self, call: "Call[list[T]]", timeout: timedelta | float | None = None) -> AsyncIterator[T]:
        """See `Transport.pages`."""
        self.check_open()
        return self._pages(call, self.seconds(timeout))

    async def once(
        self, call: "Call[T]", timeout: timedelta | float | None = None
    ) -> tuple[T, Sequence[tuple[str, str | bytes]]]:
        """See `Transport.once`."""
        seconds = self.seconds(timeout)
        try:
            answer, trailing = await self._send(call, seconds)
        except grpc.aio.AioRpcError as error:
            raise await self.settled(self.failure(error)) from None
        return call.value(answer), trailing

    def stream(self, path: str, response: Any, request: Any) -> Any:
        """See `Transport.stream`."""
        self.check_size(request)
        serialize = type(request).SerializeToString
        method: Any = self.channel().unary_stream(path, serialize, response.FromString)
        return method(request, metadata=self.settings.metadata)

    def channel(self) -> grpc.aio.Channel:
        """See `Transport.channel`.

        Raises:
            PreconditionError: the connection is closed, gRPC does not work in this process, or another event loop uses
                the connection.
        """
        self.check_open()
        if self._in_use_elsewhere():
            raise _other_loop()
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._channel, self._loop = self._open(), loop
        return self._channel

    async def settled(self, failure: GlasstapeError) -> GlasstapeError:
        """See `Connection.diagnosed`."""
        if not self.needs_diagnosis(failure):
            return failure
        return await asyncio.to_thread(self.diagnosed, failure)

    def fork_obstacle(self) -> str:
        """See `Connection.fork_obstacle`."""
        return _fork.ASYNC_CONNECTED if _channels else ""

    def _in_use_elsewhere(self) -> bool:
        """Return whether an event loop that may still run, other than the running one, uses the channel."""
        loop = self._loop
        if self._channel is None or loop is None or loop.is_closed():
            return False
        return loop is not asyncio.get_running_loop()

    def _open(self) -> grpc.aio.Channel:
        settings, options = self.settings, self.settings.channel_options()
        if settings.tls is None:
            channel = grpc.aio.insecure_channel(settings.address.target, options)
        else:
            channel = grpc.aio.secure_channel(settings.address.target, settings.tls.credentials(), options)
        _channels.add(channel)
        ignore_closed_loops()
        _loops.add(asyncio.get_running_loop())
        _fork.opened()
        return channel

    async def _pages(self, call: "Call[list[T]]", timeout: float) -> AsyncIterator[T]:
        while True:
            page = await self._retried(call, timeout)
            for item in call.value(page):
                yield item
            if not page.next_page_token:
                return
            call.request.page_token = page.next_page_token

    async def _retried(self, call: "Call[Any]", timeout: float) -> Any:
        attempts = Attempts(timeout)
        while True:
            try:
                return (await self._send(call, attempts.timeout))[0]
            except grpc.aio.AioRpcError as error:
                failure = self.failure(error)
            await asyncio.sleep(attempts.delay_after(await self.settled(failure)))

    async def _send(self, call: "Call[Any]", timeout: float) -> tuple[Any, Sequence[tuple[str, str | bytes]]]:
        self.check_size(call.request)
        serialize = type(call.request).SerializeToString
        method: Any = self.channel().unary_unary(call.path, serialize, call.response.FromString)
        sent = method(call.request, timeout=timeout, metadata=self.settings.metadata)
        try:
            answer = await sent
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.closed and not (task and task.cancelling()):
                raise closed_error() from None  # meanwhile, by another task
            raise
        self.answered()
        return answer, tuple(await sent.trailing_metadata() or ())


def ignore_closed_loops() -> None:
    """Make closed event loops ignore what completes late.

    grpc.aio (1.80) passes the end of a call to the loop that began it, from whichever loop runs now, and logs a
    traceback there when that loop is closed.
    """
    for loop in [loop for loop in _loops if loop.is_closed()]:
        _loops.discard(loop)
        with contextlib.suppress(AttributeError, TypeError):  # loops in C have no attributes to set
            loop.call_soon_threadsafe = lambda *_, **__: None  # type: ignore[method-assign,assignment]


def _other_loop() -> PreconditionError:
    return PreconditionError(
        "this client is used by another event loop: create a client in each loop", reason=OTHER_LOOP
    )
