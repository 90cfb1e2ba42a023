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
"""Key of the trailing metadata: a sentence in ASCII, as often as there are reasons."""
LONGEST_NAME = 200
MOST_WATCHERS = 4096
"""Streams of Watch, which everybody may open."""

_Response: Any = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated without types
    """What is serving. Everything here runs on the event loop."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._reasons: tuple[str, ...] = ()
        self._changed = asyncio.Condition()
        self._leaving = False
        self._watchers = 0

    def serves(self, service: str) -> bool:
        """Whether a service or model serves, "" being the server."""
        return self._serving.get(service, False)

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
        await self._check_name(request.service, context)
        texts = (reason.encode("ascii", "replace").decode() for reason in self._reasons)
        context.set_trailing_metadata(tuple((REASONS, text) for text in texts))
        if request.service not in self._serving:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service or model {request.service!r}")
        return _Response(status=self._status(request.service))

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> AsyncIterator[Any]:
        """See grpc.health.v1."""
        await self._check_name(request.service, context)
        if self._watchers >= MOST_WATCHERS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._watchers} streams watch, the most allowed"
            )
        self._watchers += 1
        said = None
        try:
            while True:
                async with self._changed:
                    while (status := self._status(request.service)) == said:
                        await self._changed.wait()
                said = status
                yield _Response(status=status)
        finally:
            self._watchers -= 1

    @staticmethod
    async def _check_name(service: str, context: Context) -> None:
        """Refuse what is no name: whoever watches holds it in memory."""
        if len(service) > LONGEST_NAME:
            rule = f"service: at most {LONGEST_NAME} characters, has {len(service)}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, rule)

    def _status(self, service: str) -> Any:
        if service not in self._serving:
            return _Response.SERVICE_UNKNOWN
        return _Response.SERVING if self._serving[service] else _Response.NOT_SERVING
