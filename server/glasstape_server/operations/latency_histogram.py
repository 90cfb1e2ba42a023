"""Histogram of call durations that records many observations under one lock."""

import itertools
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, seconds; the last bucket is +Inf."""


class LatencyHistogram(Collector):
    """Prometheus histogram with labels. Safe on any thread.

    `prometheus_client.Histogram` takes a lock for each observation; the native wire completes thousands of
    calls per second in batches.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        """Create an empty histogram.

        Args:
            name: of the metric.
            text: help text of the metric.
            labels: label names.
        """
        self._name = name
        self._text = text
        self._labels = tuple(labels)
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

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Yield the family without samples; see prometheus_client."""
        yield HistogramMetricFamily(self._name, self._text, labels=self._labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the family; see prometheus_client. Called on the thread of the scrape."""
        (family,) = self.describe()
        with self._lock:
            series = {values: (list(counts), self._sums[values]) for values, counts in self._counts.items()}
        ends = [*map(str, BOUNDS), "+Inf"]
        for values, (counts, total) in series.items():
            family.add_metric(values, list(zip(ends, itertools.accumulate(counts), strict=True)), total)
        yield family
