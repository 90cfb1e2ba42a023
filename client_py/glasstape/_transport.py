"""How the synchronous client sends calls."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from grpc.experimental import ChannelOptions

from glasstape._options import CHANNEL_OPTIONS, Tls, credentials_metadata
from glasstape._retry import Attempts

if TYPE_CHECKING:
    from glasstape._call import Call

T = TypeVar("T")


class Transport:
    """A channel with its metadata, timeout and retries.

    Args:
        address: "host:port".
        timeout: seconds that a call may take.
        tls: certificates; None: plaintext.
        token: bearer token.

    Raises:
        InvalidRequestError: the token must not be sent.
    """

    def __init__(self, address: str, timeout: float, tls: Tls | None, token: str | None) -> None:
        self._metadata = credentials_metadata(token, tls, address)
        # Reads a stream in the calling thread: several times the throughput of a helper thread.
        options: list[tuple[str, Any]] = [*CHANNEL_OPTIONS, (ChannelOptions.SingleThreadedUnaryStream, 1)]
        if tls is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, tls.credentials(), options)
        self._timeout = timeout

    def close(self) -> None:
        """Close the channel; open streams end."""
        self._channel.close()

    def run(self, call: "Call[T]") -> T:
        """Send a call, retry it where that is safe, and return its value.

        Raises:
            GlasstapeError: it failed.
        """
        return call.value(self._retried(call))

    def pages(self, call: "Call[list[T]]") -> Iterator[T]:
        """Yield the entries of every page."""
        while True:
            page = self._retried(call)
            yield from call.value(page)
            if not page.next_page_token:
                return
            call.request.page_token = page.next_page_token

    def once(self, call: "Call[T]") -> tuple[T, Sequence[tuple[str, str | bytes]]]:
        """Send a call without retries; return its value and the trailing metadata.

        Raises:
            grpc.RpcError: it failed.
        """
        method: Any = self._unary(call)
        answer, done = method.with_call(call.request, timeout=self._timeout, metadata=self._metadata)
        return call.value(answer), done.trailing_metadata() or ()

    def stream(self, path: str, request: Any, response: Any) -> Callable[[Any], Any]:
        """Return what opens a stream: a function of the request message."""
        serialize = request.SerializeToString
        method: Any = self._channel.unary_stream(path, serialize, response.FromString)
        return partial(method, metadata=self._metadata)

    def _retried(self, call: "Call[Any]") -> Any:
        method, attempts = self._unary(call), Attempts(self._timeout)
        while True:
            try:
                return method(call.request, timeout=attempts.timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                time.sleep(attempts.delay_after(error))

    def _unary(self, call: "Call[Any]") -> Any:
        serialize = type(call.request).SerializeToString
        return self._channel.unary_unary(call.path, serialize, call.response.FromString)
