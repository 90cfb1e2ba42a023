"""Description of a metric, from which it is created and documented."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Name, help text, labels and type of a metric."""

    name: str
    """Without the suffix `_total` of counters."""
    text: str
    labels: tuple[str, ...] = ()
    type: Literal["gauge", "counter", "histogram"] = "gauge"

    def counter(self, registry: CollectorRegistry) -> Counter:
        """Create a counter that is incremented as events happen."""
        return Counter(self.name, self.text, self.labels, registry=registry)

    def histogram(self, registry: CollectorRegistry, buckets: Sequence[float]) -> Histogram:
        """Create a histogram with upper bounds of its buckets."""
        return Histogram(self.name, self.text, self.labels, registry=registry, buckets=buckets)

    def scraped(self, value: float) -> CounterMetricFamily | GaugeMetricFamily:
        """Return a gauge or counter without labels, read at scrape time."""
        return self.scraped_by_label({(): value})

    def scraped_by_label(
        self, values: Mapping[tuple[str, ...], float]
    ) -> CounterMetricFamily | GaugeMetricFamily:
        """Return a gauge or counter read at scrape time, with values by label values."""
        family_type = CounterMetricFamily if self.type == "counter" else GaugeMetricFamily
        family = family_type(self.name, self.text, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family
