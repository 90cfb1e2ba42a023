"""Metrics of a server as a member of a cluster."""

from types import SimpleNamespace

from glasstape_server.operations.cluster_metrics import FAMILIES, cluster_metrics
from glasstape_server.operations.components import StreamProgress


def values(member):
    """Values by name and stream."""
    return {
        (sample.name, sample.labels.get("stream", "")): sample.value
        for metric in cluster_metrics(member)
        for sample in metric.samples
    }


def test_a_member_reports_its_part():
    streams = [StreamProgress("bars", 9, 7, 1000, 1), StreamProgress("events", 4, 4, 500, 0)]
    found = values(SimpleNamespace(leads=True, broker_error="", alarms=["gone"], progress=streams))
    assert {name for name, _ in found} == {family.name for family in FAMILIES}
    assert found["glasstape_cluster_leader", ""] == found["glasstape_cluster_takes_bars", ""] == 1
    assert found["glasstape_cluster_gaps", ""] == 1
    assert found["glasstape_cluster_lag_messages", "bars"] == 2
    assert found["glasstape_cluster_lag_messages", "events"] == 0
    assert found["glasstape_cluster_stream_lagging_brokers", "bars"] == 1
    away = values(SimpleNamespace(leads=False, broker_error="no broker", alarms=[], progress=streams))
    assert away["glasstape_cluster_takes_bars", ""] == away["glasstape_cluster_leader", ""] == 0


def test_a_server_without_a_cluster_has_none():
    assert values(None) == {}
