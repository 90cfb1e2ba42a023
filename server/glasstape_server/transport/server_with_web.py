"""A gRPC server with the web wire beside it."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glasstape_server.transport.grpcio_server import WireServer

if TYPE_CHECKING:
    from glasstape_server.transport.web_server import WebServer


class WebError(Exception):
    """The web wire cannot serve; the text says why."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where to serve browsers."""

    host: str
    port: int
    """0: a free one."""
    origins: tuple[str, ...] = ()
    """Of pages that browsers may call from, beside pages of the server itself."""


class ServerWithWeb:
    """See `WireServer`."""

    def __init__(self, server: WireServer, web: "WebServer") -> None:
        self._server = server
        self._web = web
        self.wires = (*server.wires, "web")

    @property
    def port(self) -> int:
        """See `WireServer.port`."""
        return self._server.port

    @property
    def web_port(self) -> int:
        """TCP port of the web wire."""
        return self._web.port

    async def start(self) -> None:
        """See `WireServer.start`."""
        await self._server.start()
        await self._web.start()

    async def set_ready(self, ready: bool) -> None:
        """See `WireServer.set_ready`."""
        await self._server.set_ready(ready)

    async def set_serving(self, service: str, serving: bool) -> None:
        """See `WireServer.set_serving`."""
        await self._server.set_serving(service, serving)

    def set_health_reasons(self, reasons: tuple[str, ...]) -> None:
        """See `WireServer.set_health_reasons`."""
        self._server.set_health_reasons(reasons)

    async def set_not_serving(self) -> None:
        """See `WireServer.set_not_serving`."""
        await self._server.set_not_serving()

    async def stop(self, grace: float) -> None:
        """See `WireServer.stop`."""
        await asyncio.gather(self._web.stop(grace), self._server.stop(grace))
