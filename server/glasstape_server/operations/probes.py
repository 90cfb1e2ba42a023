"""HTTP probes beside /metrics, for platforms that cannot call gRPC, or not with TLS."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol

LIVE_TIMEOUT_S = 5.0
"""Time within which the event loop must respond."""

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class HealthState(Protocol):
    """State of the server as `grpc.health.v1` reports it."""

    def serves(self, service: str) -> bool:
        """Return whether a service is SERVING; "" is the server."""
        ...

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why something does not serve, one sentence each."""
        ...


class Probes:
    """WSGI application: /metrics, /livez, /healthz and /readyz.

    /livez is 200 while the event loop responds. /healthz and /readyz are 200 while the server is SERVING, else 503,
    with the reasons as text.
    """

    def __init__(self, metrics: WsgiApp, health: HealthState, loop: asyncio.AbstractEventLoop) -> None:
        self._metrics = metrics
        self._health = health
        self._loop = loop

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, on a thread of the HTTP server."""
        path = environ.get("PATH_INFO", "/")
        if path in ("/", "/metrics"):
            return self._metrics(environ, start_response)
        status, text = self._probe(path)
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response(f"{status.value} {status.phrase}", headers)
        return [text.encode()]

    def _probe(self, path: str) -> tuple[HTTPStatus, str]:
        if path == "/livez":
            live = self._loop_responds()
            return (HTTPStatus.OK, "ok\n") if live else (HTTPStatus.SERVICE_UNAVAILABLE, "not responding\n")
        if path in ("/healthz", "/readyz"):
            lines = "".join(f"{reason}\n" for reason in self._health.reasons)
            if self._health.serves(""):
                return HTTPStatus.OK, f"SERVING\n{lines}"
            return HTTPStatus.SERVICE_UNAVAILABLE, f"NOT_SERVING\n{lines}"
        return HTTPStatus.NOT_FOUND, "must be one of /metrics, /livez, /healthz, /readyz\n"

    def _loop_responds(self) -> bool:
        async def respond() -> bool:
            return True

        try:
            return asyncio.run_coroutine_threadsafe(respond(), self._loop).result(LIVE_TIMEOUT_S)
        except concurrent.futures.TimeoutError:
            return False
