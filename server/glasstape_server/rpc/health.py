"""`grpc.health.v1`, which also tells why: what is wrong stands in the trailing metadata of Check.

Beside the reference implementation: several callers may watch one service, and a name that nobody serves is
not remembered.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glasstape_server.rpc.handlers import Context

REASONS = "glasstape-health-reasons"
"""Key of the trailing metadata: sentences in ASCII, separated by "; "."""

_Response: Any = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated without types
    """What is serving. Everything here runs on the event loop."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._reasons: tuple[str, ...] = ()
        self._changed = asyncio.Condition()
        self._leaving = False

    async def set(self, service: str, serving: bool) -> None:
        """Say whether a service serves; nothing does once the server leaves."""
        async with self._changed:
            self._serving[service] = serving and not self._leaving
            self._changed.notify_all()

    def explain(self, reasons: tuple[str, ...]) -> None:
        """Say what is wrong."""
        self._reasons = reasons

    async def leave(self) -> None:
        """Nothing serves from now on, whatever is set later."""
        self._leaving = True
        async with self._changed:
            self._serving = dict.fromkeys(self._serving, False)
            self._changed.notify_all()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:
        """See grpc.health.v1."""
        if self._reasons:
            text = "; ".join(self._reasons).encode("ascii", "replace").decode()
            context.set_trailing_metadata(((REASONS, text),))
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service or model {request.service[:100]!r}")
        return _Response(status=self._status(request.service))

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> AsyncIterator[Any]:
        """See grpc.health.v1."""
        said = None
        while True:
            async with self._changed:
                while (status := self._status(request.service)) == said:
                    await self._changed.wait()
            said = status
            yield _Response(status=status)

    def _status(self, service: str) -> Any:
        if service not in self._serving:
            return _Response.SERVICE_UNKNOWN
        return _Response.SERVING if self._serving[service] else _Response.NOT_SERVING
