"""Generate docs/reference/metrics.md from the metrics of the server."""

import sys

from glasstape_server.operations import call_metrics, engine_metrics, server_collector
from glasstape_server.operations.metric_family import MetricFamily
from reference_page import publish, table

HEAD = """# Metrics

`glasstape serve --metrics-port PORT` serves these metrics at `/metrics`, in the Prometheus text format, and also the
`process_*` and `python_gc_*` metrics of prometheus_client. The `grpc_server_*` metrics have the names and labels of
go-grpc-middleware. `deploy/alerts.yaml` has alerting rules to start with.

"""


def main() -> int:
    """Write or check the page; return the exit status."""
    families = (*call_metrics.FAMILIES, *engine_metrics.FAMILIES, *server_collector.FAMILIES)
    rows = [
        (f"`{_name(each)}`", each.type, ", ".join(each.labels), each.text)
        for each in sorted(families, key=lambda each: each.name)
    ]
    return publish("metrics.md", HEAD + table(("Name", "Type", "Labels", "Description"), rows))


def _name(family: MetricFamily) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


if __name__ == "__main__":
    sys.exit(main())
