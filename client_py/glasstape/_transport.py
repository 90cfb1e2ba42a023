"""How the synchronous client sends calls."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from grpc.experimental import ChannelOptions

from glasstape import _fork
from glasstape._connection import Connection, closed_error
from glasstape._options import Settings
from glasstape._retry import Attempts

if TYPE_CHECKING:
    from glasstape._call import Call

T = TypeVar("T")


class Transport(Connection[grpc.Channel]):
    """A connection of the synchronous client, with its metadata, timeout and retries."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._calls = 0
        """Calls in flight."""

    def close(self) -> None:
        """Close the channel; open streams end."""
        channel = self._end()
        if channel is not None:
            channel.close()

    def run(self, call: "Call[T]", timeout: timedelta | float | None = None) -> T:
        """Send a call, retry it where that is safe, and return its value.

        Raises:
            GlasstapeError: it failed.
        """
        return call.value(self._retried(call, self.seconds(timeout)))

    def pages(self, call: "Call[list[T]]", timeout: timedelta | float | None = None) -> Iterator[T]:
        """Yield the entries of every page."""
        self.check_open()
        return self._pages(call, self.seconds(timeout))

    def once(
        self, call: "Call[T]", timeout: timedelta | float | None = None
    ) -> tuple[T, Sequence[tuple[str, str | bytes]]]:
        """Send a call without retries; return its value and the trailing metadata.

        Raises:
            GlasstapeError: it failed.
        """
        seconds = self.seconds(timeout)
        try:
            answer, trailing = self._send(call, seconds)
        except grpc.RpcError as error:
            failure = self.failure(error)
            raise (self.diagnosed(failure) if self.needs_diagnosis(failure) else failure) from None
        return call.value(answer), trailing

    def stream(self, path: str, response: Any, request: Any) -> Any:
        """Open a stream: send a request, and return gRPC's call.

        Raises:
            GlasstapeError: the request is too large, the connection is closed, or gRPC does not work in this process.
        """
        self.check_size(request)
        channel = self.channel()
        try:
            method: Any = channel.unary_stream(path, type(request).SerializeToString, response.FromString)
            return method(request, metadata=self.settings.metadata)
        except ValueError as error:
            raise self.misuse(error) from None

    def channel(self) -> grpc.Channel:
        """Return the channel, opened if necessary.

        Raises:
            PreconditionError: the connection is closed, or gRPC does not work in this process.
        """
        self.check_open()
        with self._lock:
            if self.closed:
                raise closed_error()
            if self._channel is None:
                self._channel = _fork.guarded(self._open)
            return self._channel

    def fork_obstacle(self) -> str:
        """See `Connection.fork_obstacle`."""
        return "while another thread called a server" if self._calls else ""

    def abandon(self) -> list[Any]:
        """See `Connection.abandon`."""
        self._calls = 0
        return super().abandon()

    def _open(self) -> grpc.Channel:
        settings = self.settings
        # Reads a stream in the calling thread: several times the throughput of a helper thread.
        options = settings.channel_options((ChannelOptions.SingleThreadedUnaryStream, 1))
        if settings.tls is None:
            channel = grpc.insecure_channel(settings.address.target, options)
        else:
            channel = grpc.secure_channel(settings.address.target, settings.tls.credentials(), options)
        _fork.opened()
        return channel

    def _pages(self, call: "Call[list[T]]", timeout: float) -> Iterator[T]:
        while True:
            page = self._retried(call, timeout)
            yield from call.value(page)
            if not page.next_page_token:
                return
            call.request.page_token = page.next_page_token

    def _retried(self, call: "Call[Any]", timeout: float) -> Any:
        attempts = Attempts(timeout)
        while True:
            try:
                return self._send(call, attempts.timeout)[0]
            except grpc.RpcError as error:
                failure = self.failure(error)
            if self.needs_diagnosis(failure):
                failure = self.diagnosed(failure)
            time.sleep(attempts.delay_after(failure))

    def _send(self, call: "Call[Any]", timeout: float) -> tuple[Any, Sequence[tuple[str, str | bytes]]]:
        self.check_size(call.request)
        _fork.wait()
        channel, serialize = self.channel(), type(call.request).SerializeToString
        with self._lock:
            self._calls += 1
        try:
            method: Any = channel.unary_unary(call.path, serialize, call.response.FromString)
            answer, done = method.with_call(call.request, timeout=timeout, metadata=self.settings.metadata)
        except ValueError as error:
            raise self.misuse(error) from None
        finally:
            with self._lock:
                self._calls -= 1
        self.answered()
        return answer, done.trailing_metadata() or ()
