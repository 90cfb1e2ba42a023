import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from glasstape import Client, DeadlineError, NotFoundError
from history import settled
from made_up import daily
from prometheus_client.parser import text_string_to_metric_families


def _where(server):
    line = server.process.stdout.readline()
    assert line.startswith("metrics on 127.0.0.1:"), line
    return line.removeprefix("metrics on ").strip()


def _metrics(where):
    with urllib.request.urlopen(f"http://{where}/metrics") as response:
        text = response.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, *sorted(sample.labels.values())] = sample.value
    return found


@pytest.mark.parametrize("wire", ["grpcio", "native"])
def test_metrics_count_what_was_done(tmp_path, spawn, wire):
    predict, explain = (f"/glasstape.v1.InferenceService/{name}" for name in ("Predict", "Explain"))
    server = spawn(tmp_path, "--metrics-port", "0", "--wire", wire)
    where = _where(server)
    with Client(server.address) as client:
        client.publish_bars(daily("AAPL", 90))
        settled(client, 1)
        while _metrics(where)["glasstape_feed_waiting_bars",]:
            time.sleep(0.05)
        client.predict(windows=np.zeros((5, 6, 8), dtype=np.float32))
        client.explain(windows=np.zeros((2, 6, 8), dtype=np.float32))
        with pytest.raises(NotFoundError):
            client.predict(windows=np.zeros((1, 6, 8), dtype=np.float32), model="no such model!")
        with Client(server.address, timeout=0.1) as hasty, pytest.raises(DeadlineError):
            hasty.explain(windows=np.zeros((2_000, 6, 8), dtype=np.float32), method="shapley_features")
        head = max(event.sequence for event in client.history())
    end = time.monotonic() + 20
    while (found := _metrics(where)).get(("glasstape_call_seconds_count", explain)) != 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    # a caller's clock may say that it is late before ours does: then it has given up
    late = [
        found.get(("glasstape_calls_failed_total", explain, code), 0)
        for code in ("CANCELLED", "DEADLINE_EXCEEDED")
    ]
    assert sum(late) == 1
    assert found["glasstape_calls_failed_total", explain, "INTERNAL"] == 0
    assert found["glasstape_calls_started_total", predict] == 2
    assert found["glasstape_calls_started_total", explain] == 2
    assert found["glasstape_calls_failed_total", predict, "NOT_FOUND"] == 1
    assert found["glasstape_call_seconds_count", predict] == 2
    assert found["glasstape_call_seconds_bucket", "+Inf", explain] == 2
    assert 0 < found["glasstape_call_seconds_sum", explain] < 60
    assert ("glasstape_call_seconds_count", "/glasstape.v1.SignalService/Signals") not in found
    assert found["glasstape_engine_batch_rows_sum", "forecast", "interactive"] >= 5
    assert found["glasstape_engine_batch_rows_sum", "explain", "explain"] >= 2
    assert found["glasstape_feed_head_sequence",] == head
    events = [found["glasstape_feed_events_total", kind] for kind in ("confidence", "buy", "outcome")]
    assert sum(events) == head
    assert found["glasstape_feed_age_seconds",] > 0
    assert found["glasstape_market_state", "stale"] == 1
    assert found["glasstape_event_loop_answers",] == 1
    assert 1 <= found["glasstape_event_loop_tasks",] < 100
    assert 1 <= found["glasstape_threads",] < 100
    assert found["glasstape_market_failing",] == found["glasstape_feed_failing",] == 0
    assert [value for key, value in found.items() if key[0] == "glasstape_model" and "true" in key] == [1]
    assert server.stop() == 0, "".join(server.log)


@pytest.mark.parametrize("wanted", ["port", "metrics_port"])
def test_a_port_that_is_taken_is_told(tmp_path, wanted):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ports = {"--port": "0", "--metrics-port": "0", f"--{wanted.replace('_', '-')}": port}
        command = [sys.executable, "-m", "glasstape.cli", "serve", "--data-dir", str(tmp_path)]
        done = subprocess.run(
            [*command, *(word for flag in ports.items() for word in flag)], capture_output=True, text=True
        )
    assert done.returncode == 1
    assert f"glasstape serve: {wanted}: cannot listen on 127.0.0.1:{port}: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_slowest_reader_is_seen_in_the_metrics(tmp_path, spawn):
    server = spawn(tmp_path, "--metrics-port", "0")
    where = _where(server)
    with Client(server.address) as client:
        client.publish_bars(daily("AAPL", 60))
        stream = client.signals(start="earliest", kinds=["outcome"])
        with stream:
            messages = stream.messages()
            next(messages)
            time.sleep(0.2)
            found = _metrics(where)
    assert found["glasstape_feed_subscribers",] == 1
    assert found["glasstape_feed_furthest_behind_events",] == 0  # filtered events were passed, not owed


def test_what_a_reader_still_has_to_get_is_seen_in_the_metrics(tmp_path, spawn):
    server = spawn(tmp_path, "--metrics-port", "0")
    where = _where(server)
    bars = daily("AAPL", 90)
    with Client(server.address) as client:
        client.publish_bars(bars[:80])
        with client.signals(start="live", delivery="every_event", conflation_interval=60.0) as stream:
            messages = stream.messages()
            next(messages)
            client.publish_bars(bars[80:])
            deadline = time.monotonic() + 10
            while not _metrics(where)["glasstape_feed_furthest_behind_events",] >= 10:
                assert time.monotonic() < deadline
                time.sleep(0.05)
