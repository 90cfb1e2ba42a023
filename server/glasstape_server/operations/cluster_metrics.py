"""Metrics of a server as a member of a cluster; absent without one."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from glasstape_server.operations.components import ClusterMember
from glasstape_server.operations.metric_family import MetricFamily

_LEADER = MetricFamily("glasstape_cluster_leader", "1 if this server signals for its cluster.")
_CONNECTED = MetricFamily("glasstape_cluster_takes_bars", "1 while a majority of the brokers answers.")
_ALARMS = MetricFamily(
    "glasstape_cluster_gaps",
    "Streams that this server cannot follow without a gap; it applies nothing more of them.",
)
_LAST = MetricFamily("glasstape_cluster_stream_sequence", "Newest message of a stream.", ("stream",))
_LAG = MetricFamily(
    "glasstape_cluster_lag_messages", "Messages of a stream that this server has not applied.", ("stream",)
)
_SIZE = MetricFamily("glasstape_cluster_stream_bytes", "Bytes of a stream on each broker.", ("stream",))
_LAGGING = MetricFamily(
    "glasstape_cluster_stream_lagging_brokers",
    "Brokers whose copy of a stream is offline or behind.",
    ("stream",),
)
FAMILIES = (_LEADER, _CONNECTED, _ALARMS, _LAST, _LAG, _SIZE, _LAGGING)


def cluster_metrics(member: ClusterMember | None) -> Iterator[Metric]:
    """Yield the metrics of a member of a cluster; none for None."""
    if member is None:
        return
    yield _LEADER.scraped(member.leads)
    yield _CONNECTED.scraped(not member.broker_error)
    yield _ALARMS.scraped(len(list(member.alarms)))
    streams = member.progress
    yield _LAST.scraped_by_label({(stream.name,): stream.last for stream in streams})
    yield _LAG.scraped_by_label({(stream.name,): max(0, stream.last - stream.applied) for stream in streams})
    yield _SIZE.scraped_by_label({(stream.name,): stream.size for stream in streams})
    yield _LAGGING.scraped_by_label({(stream.name,): stream.lagging for stream in streams})
