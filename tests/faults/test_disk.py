"""F6: a disk that is full."""

import resource
import time

import numpy as np
import pytest
from glasstape import Client, OverloadedError
from made_up import daily

FEED = "glasstape.v1.SignalService"


def _limit(server, size):
    """Bytes beyond which no file of the server may grow; a write there fails, as on a full disk."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def _until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def test_a_full_disk_stops_writes_alone_and_recovers_by_itself(tmp_path, spawn):
    server = spawn(tmp_path)
    bars = daily("AAPL", 120)
    with Client(server.address, timeout=5) as client:
        client.publish_bars(bars[:80])
        before = [event.sequence for event in client.history()]
        _limit(server, 4096)
        with pytest.raises(OverloadedError) as error:
            client.publish_bars(bars[80:])
        assert error.value.reason == "STORAGE_FULL"
        assert error.value.retry_after > 0
        _until(lambda: not client.health().serving)
        assert any("bars cannot be stored" in reason for reason in client.health().reasons)
        assert not client.health("glasstape.v1.MarketService").serving
        assert client.health("glasstape.v1.InferenceService").serving
        assert len(client.predict(windows=np.zeros((3, 6, 8), dtype=np.float32))) == 3
        assert [event.sequence for event in client.history()] == before
        _limit(server, resource.RLIM_INFINITY)
        _until(lambda: client.health().serving)  # nobody had to send anything
        assert client.publish_bars(bars[80:]).stored == 40
        _until(lambda: len([e for e in client.history() if e.kind.value == "confidence"]) >= 40)
    assert server.stop() == 0, "".join(server.log)
