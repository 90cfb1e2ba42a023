"""F6: a disk that is full."""

import contextlib
import resource
import subprocess
import time

import numpy as np
import pytest
from glasstape import Client, OverloadedError
from made_up import daily

FEED = "glasstape.v1.SignalService"


class FileLimit:
    """No file of the server may grow: a write there fails, as on a full disk."""

    def __init__(self, folder):
        self.folder = folder

    def fill(self, server):
        self._limit(server, 4096)

    def free(self, server):
        self._limit(server, resource.RLIM_INFINITY)

    def close(self):
        pass

    @staticmethod
    def _limit(server, size):
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class SmallDisk:
    """A file system of its own, which is filled to the last byte."""

    def __init__(self, folder):
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")

    def fill(self, server):
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass

    def free(self, server):
        self._filler.unlink()

    def close(self):
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture(params=[FileLimit, SmallDisk])
def disk(request, tmp_path):
    with contextlib.closing(request.param(tmp_path / "disk")) as made:
        yield made


def _until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)


def test_a_full_disk_stops_writes_alone_and_recovers_by_itself(disk, spawn):
    server = spawn(disk.folder)
    bars = daily("AAPL", 120)
    with Client(server.address, timeout=5) as client:
        client.publish_bars(bars[:80])
        before = [event.sequence for event in client.history()]
        disk.fill(server)
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
        disk.free(server)
        _until(lambda: client.health().serving)  # nobody had to send anything
        assert client.publish_bars(bars[80:]).stored == 40
        _until(lambda: len([e for e in client.history() if e.kind.value == "confidence"]) >= 40)
    assert server.stop() == 0, "".join(server.log)


def test_a_journal_without_room_delays_signals_and_loses_none(tmp_path, spawn):
    server = spawn(tmp_path)
    bars = daily("AAPL", 120)
    with Client(server.address, timeout=5) as client:
        for number in range(100):  # each a commit: the journal's log outgrows that of the bars
            client.publish_bars(bars[number : number + 1])
        _until(lambda: len([e for e in client.history() if e.kind.value == "confidence"]) == 27)
        live = tmp_path / "live"
        journal, market = ((live / f"{name}.sqlite-wal").stat().st_size for name in ("journal", "bars"))
        assert market + 64_000 < journal, "nothing is tested"
        FileLimit._limit(server, journal)
        assert client.publish_bars(bars[100:101]).stored == 1
        _until(
            lambda: any(
                "signals are delayed: the journal cannot be written" in r for r in client.health().reasons
            )
        )
        assert not client.health(FEED).serving
        assert not client.health().serving
        assert client.health("glasstape.v1.MarketService").serving
        FileLimit._limit(server, resource.RLIM_INFINITY)
        _until(lambda: client.history(descending=True).__next__().bar_close_time == bars[100].close_time)
        signalled = [e.bar_close_time for e in client.history() if e.kind.value == "confidence"]
        assert signalled == [bar.close_time for bar in bars[73:101]]
    assert server.stop() == 0, "".join(server.log)
