"""Metrics of `glasstape follow` for Prometheus."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from glasstape.sources.follow_stats import FollowState, FollowStats

PREFIX = "glasstape_follow_"


class FollowCollector:
    """Reads `FollowStats` at each scrape."""

    def __init__(self, stats: FollowStats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        stats = self._stats
        closes = GaugeMetricFamily(
            f"{PREFIX}last_close_timestamp_seconds",
            "Close of the newest final bar on the server.",
            labels=["symbol"],
        )
        for symbol, close in list(stats.last_close.items()):
            closes.add_metric([symbol], close.timestamp())
        yield closes
        if stats.lag is not None:
            text = "Market time minus the newest close of any symbol."
            yield GaugeMetricFamily(f"{PREFIX}lag_seconds", text, stats.lag)
        yield self._states()
        yield self._counter("bars", "Bars by what the server did with them.", "result", stats.bars)
        yield self._counter(
            "revisions", "Final bars that came late or corrected others.", "kind", stats.revisions
        )
        for name, text, value in (
            ("reconnects", "Live connections that ended.", stats.reconnects),
            ("duplicates", "Final bars that were received again.", stats.duplicates),
            ("missing", "Bars that the market did not have when they were requested twice.", stats.missing),
            ("dropped_symbols", "Symbols that the market removed.", len(stats.dropped)),
        ):
            yield CounterMetricFamily(PREFIX + name, text, value)

    def _states(self) -> Metric:
        family = GaugeMetricFamily(f"{PREFIX}state", "1 for the current state.", labels=["state"])
        for state in FollowState:
            family.add_metric([str(state)], float(state is self._stats.state))
        return family

    def _counter(self, name: str, text: str, label: str, values: dict[str, int]) -> Metric:
        family = CounterMetricFamily(PREFIX + name, text, labels=[label])
        for value, count in sorted(values.items()):
            family.add_metric([value], count)
        return family


def serve_metrics(stats: FollowStats, host: str, port: int) -> tuple[int, Any]:
    """Serve GET /metrics on a separate thread; return the port and a server to shut down.

    Raises:
        OSError: the address is in use.
    """
    registry = CollectorRegistry()
    registry.register(FollowCollector(stats))
    server, _ = start_http_server(port, host, registry)
    return server.server_port, server
