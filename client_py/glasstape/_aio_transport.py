"""How the asyncio client sends calls; see `_transport`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from glasstape._options import CHANNEL_OPTIONS, Tls, credentials_metadata
from glasstape._retry import Attempts

if TYPE_CHECKING:
    from glasstape._call import Call

T = TypeVar("T")


class AsyncTransport:
    """See `Transport`."""

    def __init__(self, address: str, timeout: float, tls: Tls | None, token: str | None) -> None:
        self._metadata = credentials_metadata(token, tls, address)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, tls.credentials(), CHANNEL_OPTIONS)
        self._timeout = timeout

    async def close(self) -> None:
        """See `Transport.close`."""
        await self._channel.close()

    async def run(self, call: "Call[T]") -> T:
        """See `Transport.run`."""
        return call.value(await self._retried(call))

    async def pages(self, call: "Call[list[T]]") -> AsyncIterator[T]:
        """See `Transport.pages`."""
        while True:
            page = await self._retried(call)
            for item in call.value(page):
                yield item
            if not page.next_page_token:
                return
            call.request.page_token = page.next_page_token

    async def once(self, call: "Call[T]") -> tuple[T, Sequence[tuple[str, str | bytes]]]:
        """See `Transport.once`."""
        sent = self._unary(call)(call.request, timeout=self._timeout, metadata=self._metadata)
        answer = await sent
        return call.value(answer), tuple(await sent.trailing_metadata() or ())

    def stream(self, path: str, request: Any, response: Any) -> Callable[[Any], Any]:
        """See `Transport.stream`."""
        serialize = request.SerializeToString
        method: Any = self._channel.unary_stream(path, serialize, response.FromString)
        return partial(method, metadata=self._metadata)

    async def _retried(self, call: "Call[Any]") -> Any:
        method, attempts = self._unary(call), Attempts(self._timeout)
        while True:
            try:
                return await method(call.request, timeout=attempts.timeout, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                await asyncio.sleep(attempts.delay_after(error))

    def _unary(self, call: "Call[Any]") -> Any:
        serialize = type(call.request).SerializeToString
        return self._channel.unary_unary(call.path, serialize, call.response.FromString)
