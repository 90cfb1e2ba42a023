"""Generate docs/reference/metrics.md from the metrics of the server."""

import sys
from datetime import UTC, datetime

from glasstape.sources.follow_metrics import FollowCollector
from glasstape.sources.follow_stats import FollowStats
from glasstape_server.operations import call_metrics, cluster_metrics, engine_metrics, server_collector
from glasstape_server.operations.metric_family import MetricFamily
from reference_page import publish, table

HEAD = """# Metrics

`glasstape serve --metrics-port PORT` serves these metrics at `/metrics`, in the Prometheus text format, and also the
`process_*` and `python_gc_*` metrics of prometheus_client. The `grpc_server_*` metrics have the names and labels of
go-grpc-middleware. `deploy/alerts.yaml` has alerting rules to start with.

"""
FOLLOW = """
## Metrics of glasstape follow

`glasstape follow SOURCE --metrics-port PORT` serves these.

"""


def main() -> int:
    """Write or check the page; return the exit status."""
    modules = (call_metrics, cluster_metrics, engine_metrics, server_collector)
    families = [each for module in modules for each in module.FAMILIES]
    rows = [
        (f"`{_name(each)}`", each.type, ", ".join(each.labels), each.text)
        for each in sorted(families, key=lambda each: each.name)
    ]
    columns = ("Name", "Type", "Labels", "Description")
    return publish("metrics.md", HEAD + table(columns, rows) + FOLLOW + table(columns, _follow_rows()))


def _follow_rows() -> list[tuple[str, str, str, str]]:
    now = datetime.now(UTC)
    stats = FollowStats(last_close={"A": now}, market_time=now)  # with a value for each metric
    return [
        (
            f"`{each.name}{'_total' if each.type == 'counter' else ''}`",
            each.type,
            ", ".join(getattr(each, "_labelnames", ())),
            each.documentation,
        )
        for each in sorted(FollowCollector(stats).collect(), key=lambda each: each.name)
    ]


def _name(family: MetricFamily) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


if __name__ == "__main__":
    sys.exit(main())
