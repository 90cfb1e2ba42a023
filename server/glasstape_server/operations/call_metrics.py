"""The standard gRPC server metrics, named and labeled as go-grpc-middleware does, so that its dashboards fit."""

import itertools
from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter

from glasstape_server.access.scopes import REQUIRED
from glasstape_server.operations.latency_histogram import LatencyHistogram
from glasstape_server.operations.rpc_type import rpc_type

_LABELS = ("grpc_type", "grpc_service", "grpc_method")
_SERVER_FAULTS = ("INTERNAL", "UNKNOWN", "DATA_LOSS")
"""Codes that are never the caller's fault."""


class CallMetrics:
    """Implementation of `call_observer.CallObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._started = Counter(
            "grpc_server_started", "RPCs started on the server.", _LABELS, registry=registry
        )
        self._handled = Counter(
            "grpc_server_handled",
            "RPCs completed on the server, regardless of success or failure.",
            (*_LABELS, "grpc_code"),
            registry=registry,
        )
        for method, code in itertools.product(REQUIRED, _SERVER_FAULTS):
            # Start at 0: rate() does not see a series that begins at 1.
            self._handled.labels(*_labels(method), _code(code))
        self._latency = LatencyHistogram(
            "grpc_server_handling_seconds",
            "Time from receiving a unary RPC to completing it; streams are not included.",
            _LABELS,
        )
        registry.register(self._latency)

    def started(self, method: str, count: int = 1) -> None:
        """See `CallObserver.started`."""
        self._started.labels(*_labels(method)).inc(count)

    def handled(self, method: str, code: str, count: int = 1) -> None:
        """See `CallObserver.handled`."""
        self._handled.labels(*_labels(method), _code(code)).inc(count)

    def observe_latency(self, method: str, seconds: Sequence[float]) -> None:
        """See `CallObserver.observe_latency`."""
        self._latency.observe(_labels(method), seconds)


@cache
def _labels(method: str) -> tuple[str, str, str]:
    """Return (type, service, method) of a path."""
    _, service, name = method.split("/")
    return rpc_type(method), service, name


@cache
def _code(code: str) -> str:
    """Return a status code as the metrics spell it: NotFound of NOT_FOUND."""
    if code == "OK":
        return code
    return "".join(word.capitalize() for word in code.split("_")).replace("Cancelled", "Canceled")
