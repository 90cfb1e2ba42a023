"""`grpc.health.v1` with reasons: Check returns them in its trailing metadata.

Unlike the reference implementation, several callers may watch one service, and unknown names are not stored.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glasstape_server.rpc.handlers import Context

REASONS = "glasstape-health-reasons"
"""Key of the trailing metadata: one sentence in ASCII for each reason."""
MAX_NAME_LENGTH = 200
"""Characters of a service's name."""
MAX_WATCHERS = 4096
"""Open Watch streams; they need no token."""

_Response: Any = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # generated without types
    """State of the server, its services and its models. Runs on the event loop."""

    def __init__(self) -> None:
        self._serving: dict[str, bool] = {}
        self._reasons: tuple[str, ...] = ()
        self._changed = asyncio.Condition()
        self._stopping = False
        self._watchers = 0

    def serves(self, service: str) -> bool:
        """Return whether a service or model is SERVING; "" is the server."""
        return self._serving.get(service, False)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why something does not serve, one sentence each."""
        return self._reasons

    async def set(self, service: str, serving: bool) -> None:
        """Set a service's state; after `stop` it stays NOT_SERVING."""
        async with self._changed:
            self._serving[service] = serving and not self._stopping
            self._changed.notify_all()

    def set_reasons(self, reasons: tuple[str, ...]) -> None:
        """Set the reasons that Check returns."""
        self._reasons = reasons

    async def stop(self) -> None:
        """Set everything to NOT_SERVING, for good."""
        self._stopping = True
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
        if self._watchers >= MAX_WATCHERS:
            rule = f"at most {MAX_WATCHERS} Watch streams, {self._watchers} are open"
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, rule)
        self._watchers += 1
        sent = None
        try:
            while True:
                async with self._changed:
                    while (status := self._status(request.service)) == sent:
                        await self._changed.wait()
                sent = status
                yield _Response(status=status)
        finally:
            self._watchers -= 1

    @staticmethod
    async def _check_name(service: str, context: Context) -> None:
        """Reject names that are too long: a watcher's name stays in memory."""
        if len(service) > MAX_NAME_LENGTH:
            rule = f"service: at most {MAX_NAME_LENGTH} characters, has {len(service)}"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, rule)

    def _status(self, service: str) -> Any:
        if service not in self._serving:
            return _Response.SERVICE_UNKNOWN
        return _Response.SERVING if self._serving[service] else _Response.NOT_SERVING
