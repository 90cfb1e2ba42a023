"""The context of one call of the web wire, as the handlers of the grpcio server use it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext
from google.rpc import status_pb2

from glasstape_server.transport.web_errors import with_details

if TYPE_CHECKING:
    Web = RequestContext[Any, Any]

T = TypeVar("T")
Metadata = Sequence[tuple[str, str | bytes]]

DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class CallDetails:
    """What an interceptor reads of a call: see grpc.HandlerCallDetails."""

    method: str
    invocation_metadata: Metadata


class WebContext:
    """The part of a grpc.aio context that handlers and interceptors use.

    Args:
        web: the request.
        payload: its encoded message.
    """

    def __init__(self, web: "Web", payload: bytes) -> None:
        self._web = web
        self._payload: bytes | None = payload
        self._error: ConnectError | None = None
        self._status = grpc.StatusCode.OK
        self._trailing: Metadata = ()
        self._messages: asyncio.Queue[Any] = asyncio.Queue(1)
        path = f"/{web.method.service_name}/{web.method.name}"
        self.details = CallDetails(path, tuple(web.request_headers.allitems()))

    async def read(self) -> bytes | None:
        """Return the request's message, once."""
        payload, self._payload = self._payload, None
        return payload

    async def write(self, message: Any) -> None:
        """Send a message of a stream as soon as the one before was taken."""
        await self._messages.put(message)

    def set_trailing_metadata(self, metadata: Metadata) -> None:
        """Set what the status is sent with."""
        self._trailing = metadata

    def time_remaining(self) -> float | None:
        """Return the seconds until the deadline; None: there is none."""
        left = self._web.timeout_ms
        return None if left is None else max(0.0, left / 1000)

    def peer(self) -> str:
        """Return the address of the caller."""
        return f"web:{self._web.client_address or ''}"

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Return the properties of the client's certificate: browsers present none."""
        return {}

    def code(self) -> grpc.StatusCode:
        """Return the status that ended the call."""
        return self._status

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()
    ) -> NoReturn:
        """End the call with a status.

        Raises:
            AbortError: always.
        """
        encoded = dict(trailing_metadata or self._trailing).get(DETAILS)
        status = None if encoded is None else status_pb2.Status.FromString(bytes(encoded))  # type: ignore[arg-type]
        self._status, self._error = code, with_details(code, details, status)
        raise grpc.aio.AbortError

    async def run(self, work: Awaitable[T]) -> T:
        """Return the response of a unary handler.

        Raises:
            ConnectError: the handler ended the call with a status.
        """
        try:
            return await work
        except grpc.aio.AbortError:
            assert self._error is not None
            raise self._error from None

    async def written(self, work: Awaitable[None]) -> AsyncGenerator[Any]:
        """Yield the messages that a streaming handler writes, until it ends.

        Raises:
            ConnectError: the handler ended the call with a status.
        """
        running = asyncio.ensure_future(self.run(work))
        try:
            while not running.done() or not self._messages.empty():
                message = asyncio.ensure_future(self._messages.get())
                await asyncio.wait({running, message}, return_when=asyncio.FIRST_COMPLETED)
                if not message.done():
                    message.cancel()
                    continue
                yield message.result()
            await running
        finally:
            running.cancel()
            await asyncio.wait({running})
