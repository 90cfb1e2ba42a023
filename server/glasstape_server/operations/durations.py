"""How long calls took, as Prometheus counts it: many at a time, because calls come by the thousand a second."""

import itertools
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets, seconds; a last one takes what is longer."""


class Durations(Collector):
    """A histogram of seconds for each method. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, method: str, seconds: Sequence[float]) -> None:
        """Count calls."""
        places = [bisect_left(BOUNDS, each) for each in seconds]
        with self._lock:
            counts = self._counts.setdefault(method, [0] * (len(BOUNDS) + 1))
            for place in places:
                counts[place] += 1
            self._sums[method] = self._sums.get(method, 0.0) + sum(seconds)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """See prometheus_client; called on the thread of who asks."""
        family = HistogramMetricFamily(
            "glasstape_call_seconds",
            "Time from when a call was taken up to its end, whatever that was; streams are not among them.",
            labels=["method"],
        )
        with self._lock:
            held = {method: (list(counts), self._sums[method]) for method, counts in self._counts.items()}
        ends = [*map(str, BOUNDS), "+Inf"]
        for method, (counts, total) in held.items():
            family.add_metric([method], list(zip(ends, itertools.accumulate(counts), strict=True)), total)
        yield family
