"""WebSocket connections of sources, with the library's errors translated."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from glasstape.sources.errors import CredentialsError, RateLimitedError, SourceUnavailableError

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

CONNECT_TIMEOUT_S = 30.0
"""Longest time to connect, and to wait for each answer of a handshake."""
HEARTBEAT_S = 20.0
"""Between pings; a connection whose pong is missing is closed."""


class Stream:
    """Text messages of one WebSocket connection."""

    def __init__(self, socket: "ClientWebSocketResponse", source: str) -> None:
        self._socket = socket
        self._source = source

    async def receive(self, timeout_s: float | None = CONNECT_TIMEOUT_S) -> str | None:
        """Return the next message; None: none arrived in time.

        Raises:
            SourceUnavailableError: the connection is closed, or lost.
        """
        from aiohttp import WSMsgType

        try:
            message = await self._socket.receive(timeout=timeout_s)
        except TimeoutError:
            return None
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            return bytes(message.data).decode(errors="replace")
        code = self._socket.close_code
        raise SourceUnavailableError(f"{self._source}: the stream was closed (code {code})")

    async def receive_json(self, timeout_s: float | None = CONNECT_TIMEOUT_S) -> Any:
        """Return the next message as JSON; None: none arrived in time.

        Raises:
            SourceUnavailableError: the connection is closed, or the message is not JSON.
        """
        text = await self.receive(timeout_s)
        return None if text is None else parse_json(text, self._source)

    async def send_json(self, value: Any) -> None:
        """Send a message.

        Raises:
            SourceUnavailableError: the connection is lost.
        """
        await self.send(json.dumps(value))

    async def send(self, text: str) -> None:
        """Send a message.

        Raises:
            SourceUnavailableError: the connection is lost.
        """
        from aiohttp import ClientError

        try:
            await self._socket.send_str(text)
        except (ClientError, ConnectionError) as error:
            raise SourceUnavailableError(
                f"{self._source}: the stream is lost: {type(error).__name__}"
            ) from None


def parse_json(text: str, source: str) -> Any:
    """Return a message as JSON.

    Raises:
        SourceUnavailableError: it is not JSON.
    """
    try:
        return json.loads(text)
    except ValueError:
        raise SourceUnavailableError(f"{source}: an answer is not JSON: {text[:60]!r}") from None


@asynccontextmanager
async def open_stream(
    url: str, source: str, *, heartbeat_s: float | None = HEARTBEAT_S
) -> AsyncIterator[Stream]:
    """Connect to a WebSocket server; the connection ends with the context.

    Args:
        url: to connect to.
        source: name of the source, for messages.
        heartbeat_s: between pings; None: the server does not answer them.

    Raises:
        CredentialsError: the server answered 401 or 403.
        RateLimitedError: the server answered 429.
        SourceUnavailableError: it cannot be reached, or refuses WebSocket connections.
    """
    from aiohttp import ClientError, ClientSession, ClientTimeout, WSServerHandshakeError

    timeout = ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S)
    async with ClientSession(timeout=timeout, trust_env=True) as session:
        try:
            socket = await session.ws_connect(url, heartbeat=heartbeat_s)
        except WSServerHandshakeError as error:
            reason = f"{source}: the stream was refused with HTTP {error.status}"
            if error.status in (401, 403):
                raise CredentialsError(reason) from None
            if error.status == 429:
                raise RateLimitedError(reason) from None
            raise SourceUnavailableError(reason) from None
        except (ClientError, OSError, TimeoutError) as error:
            raise SourceUnavailableError(
                f"{source}: the stream cannot be opened: {type(error).__name__}"
            ) from None
        async with socket:
            yield Stream(socket, source)
