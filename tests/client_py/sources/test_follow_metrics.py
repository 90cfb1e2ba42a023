import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from glasstape.sources.follow_stats import FollowState, FollowStats

pytest.importorskip("prometheus_client")
from glasstape.sources.follow_metrics import serve_metrics
from prometheus_client.parser import text_string_to_metric_families


def test_metrics_show_positions_lag_and_counters():
    close = datetime(2026, 1, 5, tzinfo=UTC)
    stats = FollowStats(state=FollowState.LIVE, reconnects=3, market_time=close + timedelta(seconds=7))
    stats.last_close = {"A": close}
    stats.bars["final"] = 5
    port, server = serve_metrics(stats, "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            families = list(text_string_to_metric_families(response.read().decode()))
    finally:
        server.shutdown()
        server.server_close()
    values = {
        (sample.name.removeprefix("glasstape_follow_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }
    assert values["last_close_timestamp_seconds", "A"] == close.timestamp()
    assert values[("lag_seconds",)] == 7
    assert values["bars_total", "final"] == 5
    assert values[("reconnects_total",)] == 3
    assert (values["state", "live"], values["state", "starting"]) == (1, 0)
