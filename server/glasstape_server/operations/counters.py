"""What is counted as it happens; see `metrics` for what is read when somebody asks."""

import itertools
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

from glasstape_server.access.scopes import REQUIRED
from glasstape_server.engine.job import Lane
from glasstape_server.operations.durations import BOUNDS, Durations

_OURS = ("INTERNAL", "UNKNOWN", "DATA_LOSS")
"""Codes of failures that are never the caller's fault."""
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class EngineFigures:
    """See `engine.job.Observer`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Histogram(
            "glasstape_engine_batch_rows",
            "Windows of a batch.",
            ["work", "lane"],
            registry=registry,
            buckets=_ROWS,
        )
        self._waited = Histogram(
            "glasstape_engine_wait_seconds",
            "Time that the oldest work of a batch had waited for the device.",
            ["lane"],
            registry=registry,
            buckets=BOUNDS,
        )
        self._seconds = Histogram(
            "glasstape_engine_compute_seconds",
            "Time that the device took for a batch.",
            ["work"],
            registry=registry,
            buckets=BOUNDS,
        )
        self._refused = Counter(
            "glasstape_engine_refused", "Work that found the queue full.", ["lane"], registry=registry
        )
        self._dropped = Counter(
            "glasstape_engine_dropped",
            "Work whose caller went away, or waited no longer, before it began.",
            ["lane"],
            registry=registry,
        )
        for lane, counter in itertools.product(Lane, (self._refused, self._dropped)):
            counter.labels(lane.name.lower())
        self.last_refusal = float("-inf")
        """When the queue was last full, by `time.monotonic`."""

    def computed(self, lane: Lane, what: str, rows: int, waited: float, seconds: float) -> None:
        """See `engine.job.Observer`."""
        name = lane.name.lower()
        self._rows.labels(what, name).observe(rows)
        self._waited.labels(name).observe(waited)
        self._seconds.labels(what).observe(seconds)

    def refused(self, lane: Lane) -> None:
        """See `engine.job.Observer`."""
        self.last_refusal = time.monotonic()
        self._refused.labels(lane.name.lower()).inc()

    def dropped(self, lane: Lane) -> None:
        """See `engine.job.Observer`."""
        self._dropped.labels(lane.name.lower()).inc()


class TrafficFigures:
    """See `rpc.traffic.Traffic`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._started = Counter(
            "glasstape_calls_started", "Calls that came in.", ["method"], registry=registry
        )
        self._failed = Counter(
            "glasstape_calls_failed",
            "Calls that ended with another status than OK.",
            ["method", "code"],
            registry=registry,
        )
        for method, code in itertools.product(REQUIRED, _OURS):
            self._failed.labels(method, code)  # from 0 on: a rate does not see what begins at 1
        self._durations = Durations()
        registry.register(self._durations)

    def started(self, method: str, count: int = 1) -> None:
        """See `rpc.traffic.Traffic`."""
        self._started.labels(method).inc(count)

    def failed(self, method: str, code: str) -> None:
        """See `rpc.traffic.Traffic`."""
        self._failed.labels(method, code).inc()

    def ended(self, method: str, seconds: Sequence[float]) -> None:
        """See `rpc.traffic.Traffic`."""
        self._durations.add(method, seconds)
