"""Histogram of call durations that records many observations under one lock."""

import itertools
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from glasstape_server.operations.metric_family import MetricFamily

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, seconds; the last bucket is +Inf."""


class LatencyHistogram(Collector):
    """Prometheus histogram with labels. Safe on any thread.

    `prometheus_client.Histogram` takes a lock for each observation; the native wire completes thousands of
    calls per second in batches.
    """

    def __init__(self, family: MetricFamily) -> None:
        self._family = family
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, values: tuple[str, ...], seconds: Sequence[float]) -> None:
        """Record durations, seconds, under one set of label values."""
        buckets = [bisect_left(BOUNDS, each) for each in seconds]
        with self._lock:
            counts = self._counts.setdefault(values, [0] * (len(BOUNDS) + 1))
            for bucket in buckets:
                counts[bucket] += 1
            self._sums[values] = self._sums.get(values, 0.0) + sum(seconds)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the family; see prometheus_client. Called on the thread of the scrape."""
        family = HistogramMetricFamily(self._family.name, self._family.text, labels=self._family.labels)
        with self._lock:
            series = {values: (list(counts), self._sums[values]) for values, counts in self._counts.items()}
        ends = [*map(str, BOUNDS), "+Inf"]
        for values, (counts, total) in series.items():
            family.add_metric(values, list(zip(ends, itertools.accumulate(counts), strict=True)), total)
        yield family
