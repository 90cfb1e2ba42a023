"""Metrics of the engine, counted as batches run."""

import itertools
import time

from prometheus_client import CollectorRegistry, Counter, Histogram

from glasstape_server.engine.job import Lane
from glasstape_server.operations.latency_histogram import BOUNDS

_BATCH_WINDOWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class EngineMetrics:
    """Implementation of `engine.job.EngineObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._windows = Histogram(
            "glasstape_engine_batch_windows",
            "Windows per batch.",
            ["work", "lane"],
            registry=registry,
            buckets=_BATCH_WINDOWS,
        )
        self._queue_time = Histogram(
            "glasstape_engine_queue_wait_seconds",
            "Queue time of the oldest job of a batch.",
            ["lane"],
            registry=registry,
            buckets=BOUNDS,
        )
        self._compute_time = Histogram(
            "glasstape_engine_compute_seconds",
            "Compute time per batch on the device.",
            ["work"],
            registry=registry,
            buckets=BOUNDS,
        )
        self._rejected = Counter(
            "glasstape_engine_rejected",
            "Jobs rejected because the queue was full.",
            ["lane"],
            registry=registry,
        )
        self._dropped = Counter(
            "glasstape_engine_dropped",
            "Queued jobs dropped because the call was canceled or its deadline exceeded.",
            ["lane"],
            registry=registry,
        )
        for lane, counter in itertools.product(Lane, (self._rejected, self._dropped)):
            counter.labels(lane.name.lower())
        self.last_rejection = float("-inf")
        """Time of the last rejection, by `time.monotonic`, seconds."""

    def computed(
        self, lane: Lane, work: str, rows: int, queue_seconds: float, compute_seconds: float
    ) -> None:
        """See `EngineObserver.computed`."""
        name = lane.name.lower()
        self._windows.labels(work, name).observe(rows)
        self._queue_time.labels(name).observe(queue_seconds)
        self._compute_time.labels(work).observe(compute_seconds)

    def rejected(self, lane: Lane) -> None:
        """See `EngineObserver.rejected`."""
        self.last_rejection = time.monotonic()
        self._rejected.labels(lane.name.lower()).inc()

    def dropped(self, lane: Lane) -> None:
        """See `EngineObserver.dropped`."""
        self._dropped.labels(lane.name.lower()).inc()
