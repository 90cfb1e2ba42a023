"""The standard gRPC server metrics, named and labeled as go-grpc-middleware does, so that its dashboards fit."""

import itertools
from collections.abc import Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter

from glasstape_server.access.scopes import REQUIRED
from glasstape_server.operations.latency_histogram import LatencyHistogram
from glasstape_server.operations.metric_family import MetricFamily
from glasstape_server.operations.rpc_type import rpc_type

_LABELS = ("grpc_type", "grpc_service", "grpc_method")
_STARTED = MetricFamily("grpc_server_started", "RPCs started on the server.", _LABELS, "counter")
_HANDLED = MetricFamily(
    "grpc_server_handled",
    "RPCs completed on the server, regardless of success or failure.",
    (*_LABELS, "grpc_code"),
    "counter",
)
_LATENCY = MetricFamily(
    "grpc_server_handling_seconds",
    "Time from receiving a unary RPC to completing it; streams are not included.",
    _LABELS,
    "histogram",
)
FAMILIES = (_STARTED, _HANDLED, _LATENCY)
"""All metrics of this module."""

_SERVER_FAULTS = ("INTERNAL", "UNKNOWN", "DATA_LOSS")
"""Codes that are never the caller's fault."""


class CallMetrics:
    """Implementation of `call_observer.CallObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._started = _STARTED.counter(registry)
        self._handled = _HANDLED.counter(registry)
        # Series by method, and by method and code: looking one up by its labels costs as much as a small call.
        self._started_series: dict[str, Counter] = {}
        self._handled_series: dict[tuple[str, str], Counter] = {}
        for method, code in itertools.product(REQUIRED, _SERVER_FAULTS):
            # Start at 0: rate() does not see a series that begins at 1.
            self._handled_of(method, code)
        self._latency = LatencyHistogram(_LATENCY)
        registry.register(self._latency)

    def started(self, method: str, count: int = 1) -> None:
        """See `CallObserver.started`."""
        series = self._started_series.get(method)
        if series is None:
            series = self._started_series[method] = self._started.labels(*_labels(method))
        series.inc(count)

    def handled(self, method: str, code: str, count: int = 1) -> None:
        """See `CallObserver.handled`."""
        self._handled_of(method, code).inc(count)

    def observe_latency(self, method: str, seconds: Sequence[float]) -> None:
        """See `CallObserver.observe_latency`."""
        self._latency.observe(_labels(method), seconds)

    def _handled_of(self, method: str, code: str) -> Counter:
        series = self._handled_series.get((method, code))
        if series is None:
            series = self._handled.labels(*_labels(method), _code(code))
            self._handled_series[method, code] = series
        return series


@cache
def _labels(method: str) -> tuple[str, str, str]:
    """Return (type, service, method) of a path."""
    _, service, name = method.split("/")
    return rpc_type(method), service, name


@cache
def _code(code: str) -> str:
    """Return a status code as the label spells it, such as NotFound for NOT_FOUND."""
    spelled = {"OK": "OK", "CANCELLED": "Canceled"}
    return spelled.get(code) or "".join(word.capitalize() for word in code.split("_"))
