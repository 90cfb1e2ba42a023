import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from glasstape import Client, DeadlineError, NotFoundError
from history import settled
from made_up import daily
from prometheus_client.parser import text_string_to_metric_families

INFERENCE = "glasstape.v1.InferenceService"
FEED = ("server_stream", "glasstape.v1.SignalService", "Signals")
PREDICT, EXPLAIN = (("unary", INFERENCE, method) for method in ("Predict", "Explain"))
"""Values of the labels grpc_type, grpc_service and grpc_method."""


def _address(server):
    line = server.process.stdout.readline()
    assert line.startswith("metrics on 127.0.0.1:"), line
    return line.removeprefix("metrics on ").strip()


REFERENCE = Path(__file__).parents[3] / "docs/reference/metrics.md"
DOCUMENTED = {
    name.removesuffix("_total") for name in re.findall(r"^\| `(\w+)`", REFERENCE.read_text(), re.MULTILINE)
}


class Metrics:
    """Values of one scrape."""

    def __init__(self, address):
        with urllib.request.urlopen(f"http://{address}/metrics") as response:
            self.families = list(text_string_to_metric_families(response.read().decode()))
        self.samples = [sample for family in self.families for sample in family.samples]

    def names(self):
        """Names of the families, except the standard ones of the process."""
        for family in self.families:
            if not family.name.startswith(("process_", "python_")) and not family.name.endswith("_created"):
                yield family.name

    def value(self, name, **labels):
        """Value of the one sample with these labels, which may have others; 0 if there is none."""
        matches = [s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()]
        assert len(matches) <= 1, (name, labels)
        return matches[0] if matches else 0

    def calls(self, name, method, **labels):
        """Value of a gRPC metric of a method."""
        keys = ("grpc_type", "grpc_service", "grpc_method")
        return self.value(name, **dict(zip(keys, method, strict=True)), **labels)


def _until(address, condition):
    """Scrape until a condition of the metrics holds; return that scrape."""
    deadline = time.monotonic() + 20
    while not condition(metrics := Metrics(address)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return metrics


@pytest.mark.parametrize("wire", ["grpcio", "native"])
def test_metrics_count_calls_batches_and_events(tmp_path, spawn, wire):
    server = spawn(tmp_path, "--metrics-port", "0", "--wire", wire)
    address = _address(server)
    with Client(server.address) as client:
        client.publish_bars(daily("AAPL", 90))
        settled(client, 1)
        _until(address, lambda m: not m.value("glasstape_feed_backlog_bars"))
        client.predict(windows=np.zeros((5, 6, 8), dtype=np.float32))
        client.explain(windows=np.zeros((2, 6, 8), dtype=np.float32))
        with pytest.raises(NotFoundError):
            client.predict(windows=np.zeros((1, 6, 8), dtype=np.float32), model="no such model!")
        with Client(server.address, timeout=0.1) as hasty, pytest.raises(DeadlineError):
            hasty.explain(windows=np.zeros((2_000, 6, 8), dtype=np.float32), method="shapley_features")
        head = max(event.sequence for event in client.history())
    metrics = _until(address, lambda m: m.calls("grpc_server_handling_seconds_count", EXPLAIN) == 2)
    # The client's clock may reach the deadline before the server's: the call is canceled then.
    late = [
        metrics.calls("grpc_server_handled_total", EXPLAIN, grpc_code=code)
        for code in ("Canceled", "DeadlineExceeded")
    ]
    assert sum(late) == 1
    assert metrics.calls("grpc_server_handled_total", EXPLAIN, grpc_code="OK") == 1
    assert metrics.calls("grpc_server_handled_total", EXPLAIN, grpc_code="Internal") == 0
    assert metrics.calls("grpc_server_started_total", PREDICT) == 2
    assert metrics.calls("grpc_server_started_total", EXPLAIN) == 2
    assert metrics.calls("grpc_server_handled_total", PREDICT, grpc_code="OK") == 1
    assert metrics.calls("grpc_server_handled_total", PREDICT, grpc_code="NotFound") == 1
    assert metrics.calls("grpc_server_handling_seconds_count", PREDICT) == 2
    assert metrics.calls("grpc_server_handling_seconds_bucket", EXPLAIN, le="+Inf") == 2
    assert 0 < metrics.calls("grpc_server_handling_seconds_sum", EXPLAIN) < 60
    publish = ("unary", "glasstape.v1.MarketService", "PublishBars")
    assert metrics.calls("grpc_server_handled_total", publish, grpc_code="OK") == 1
    assert metrics.calls("grpc_server_handling_seconds_count", publish) == 1
    assert metrics.calls("grpc_server_handling_seconds_count", FEED) == 0  # not of streams
    batches = "glasstape_engine_batch_windows_sum"
    assert metrics.value(batches, work="forecast", lane="interactive") >= 5
    assert metrics.value(batches, work="explain", lane="explain") >= 2
    assert metrics.value("glasstape_feed_head_sequence") == head
    kinds = ("confidence", "buy", "outcome")
    assert sum(metrics.value("glasstape_feed_events_total", kind=kind) for kind in kinds) == head
    assert metrics.value("glasstape_feed_age_seconds") > 0
    assert metrics.value("glasstape_market_state", state="stale") == 1
    assert metrics.value("glasstape_event_loop_responsive") == 1
    assert 1 <= metrics.value("glasstape_event_loop_tasks") < 100
    assert 1 <= metrics.value("glasstape_threads") < 100
    assert metrics.value("glasstape_market_failing") == metrics.value("glasstape_feed_failing") == 0
    assert metrics.value("glasstape_model_info", active="true") == 1
    absent = ("glasstape_follow_", "glasstape_tls_", "glasstape_cluster_")
    of_server = {name for name in DOCUMENTED if not name.startswith(absent)}
    assert set(metrics.names()) == of_server
    assert server.stop() == 0, "".join(server.log)


@pytest.mark.parametrize("wire", ["grpcio", "native"])
def test_every_started_stream_is_handled_once(tmp_path, spawn, wire):
    server = spawn(tmp_path, "--metrics-port", "0", "--wire", wire)
    address = _address(server)
    with Client(server.address) as client:
        for _ in range(3):
            with client.signals(start="live") as stream:
                next(stream.messages())
        metrics = _until(
            address, lambda m: m.calls("grpc_server_handled_total", FEED, grpc_code="Canceled") == 3
        )
        assert metrics.calls("grpc_server_started_total", FEED) == 3
        assert metrics.value("glasstape_feed_subscribers") == 0


@pytest.mark.parametrize("setting", ["port", "metrics_port"])
def test_an_address_in_use_is_reported_with_its_setting(tmp_path, setting):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        ports = {"--port": "0", "--metrics-port": "0", f"--{setting.replace('_', '-')}": port}
        command = [sys.executable, "-m", "glasstape.cli", "serve", "--data-dir", str(tmp_path)]
        done = subprocess.run(
            [*command, *(word for flag in ports.items() for word in flag)], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert f"glasstape serve: {setting}: cannot listen on 127.0.0.1:{port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_filtered_events_do_not_count_as_lag(tmp_path, spawn):
    server = spawn(tmp_path, "--metrics-port", "0")
    address = _address(server)
    with Client(server.address) as client:
        client.publish_bars(daily("AAPL", 90))
        settled(client, 1)
        with client.signals(start="earliest", kinds=["outcome"]) as stream:
            messages = stream.messages()
            next(messages)
            _until(
                address,
                lambda m: (
                    m.value("glasstape_feed_subscribers") == 1
                    and m.value("glasstape_feed_head_sequence") > 0
                    and m.value("glasstape_feed_max_lag_events") == 0
                ),
            )


def test_undelivered_events_count_as_lag(tmp_path, spawn):
    server = spawn(tmp_path, "--metrics-port", "0")
    address = _address(server)
    bars = daily("AAPL", 90)
    with Client(server.address) as client:
        client.publish_bars(bars[:80])
        with client.signals(start="live", delivery="every_event", conflation_interval=60.0) as stream:
            messages = stream.messages()
            next(messages)
            client.publish_bars(bars[80:])
            _until(address, lambda m: m.value("glasstape_feed_max_lag_events") >= 10)
