"""Description of a metric whose values are read at scrape time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """Name, help text, kind and labels of a metric."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def empty(self) -> CounterMetricFamily | GaugeMetricFamily:
        """Return a family without samples."""
        of_kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        return of_kind(self.name, self.text, labels=self.labels)

    def single(self, value: float) -> CounterMetricFamily | GaugeMetricFamily:
        """Return a family with one sample without labels."""
        return self.with_values({(): value})

    def with_values(self, values: Mapping[tuple[str, ...], float]) -> CounterMetricFamily | GaugeMetricFamily:
        """Return a family with samples by label values."""
        family = self.empty()
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family
