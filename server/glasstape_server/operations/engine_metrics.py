"""Metrics of the engine, counted as batches run."""

import itertools
import time

from prometheus_client import CollectorRegistry, Histogram

from glasstape_server.engine.job import Lane
from glasstape_server.operations.latency_histogram import BOUNDS
from glasstape_server.operations.metric_family import MetricFamily

_BATCH_WINDOWS = MetricFamily(
    "glasstape_engine_batch_windows", "Windows per batch.", ("work", "lane"), "histogram"
)
_QUEUE_WAIT = MetricFamily(
    "glasstape_engine_queue_wait_seconds", "Queue time of the oldest job of a batch.", ("lane",), "histogram"
)
_COMPUTE = MetricFamily(
    "glasstape_engine_compute_seconds", "Compute time per batch on the device.", ("work",), "histogram"
)
_REJECTED = MetricFamily(
    "glasstape_engine_rejected", "Jobs rejected because the queue was full.", ("lane",), "counter"
)
_DROPPED = MetricFamily(
    "glasstape_engine_dropped",
    "Queued jobs dropped because the call was canceled or its deadline exceeded.",
    ("lane",),
    "counter",
)
FAMILIES = (_BATCH_WINDOWS, _QUEUE_WAIT, _COMPUTE, _REJECTED, _DROPPED)
"""All metrics of this module."""

_WINDOW_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class EngineMetrics:
    """Implementation of `engine.job.EngineObserver`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._windows = _BATCH_WINDOWS.histogram(registry, _WINDOW_BOUNDS)
        self._queue_wait = _QUEUE_WAIT.histogram(registry, BOUNDS)
        self._compute = _COMPUTE.histogram(registry, BOUNDS)
        self._rejected = _REJECTED.counter(registry)
        self._dropped = _DROPPED.counter(registry)
        for lane, counter in itertools.product(Lane, (self._rejected, self._dropped)):
            counter.labels(lane.name.lower())
        self._series: dict[tuple[Lane, str], tuple[Histogram, Histogram, Histogram]] = {}
        """Windows, queue wait and compute time of a batch: looking them up by labels takes as long as observing."""
        self.last_rejection = float("-inf")
        """Time of the last rejection, by `time.monotonic`, seconds."""

    def computed(
        self, lane: Lane, work: str, rows: int, queue_seconds: float, compute_seconds: float
    ) -> None:
        """See `EngineObserver.computed`."""
        series = self._series.get((lane, work))
        if series is None:
            name = lane.name.lower()
            series = (
                self._windows.labels(work, name), self._queue_wait.labels(name), self._compute.labels(work),
            )  # fmt: skip
            self._series[lane, work] = series
        for histogram, value in zip(series, (rows, queue_seconds, compute_seconds), strict=True):
            histogram.observe(value)

    def rejected(self, lane: Lane) -> None:
        """See `EngineObserver.rejected`."""
        self.last_rejection = time.monotonic()
        self._rejected.labels(lane.name.lower()).inc()

    def dropped(self, lane: Lane) -> None:
        """See `EngineObserver.dropped`."""
        self._dropped.labels(lane.name.lower()).inc()
