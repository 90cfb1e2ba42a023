"""Two hosts with one data folder: one of them serves, and no acknowledged bar is lost."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from glasstape import Client, GlasstapeError
from made_up import daily
from other_host import OtherHost
from running import ServerProcess

BARS = {symbol: daily(symbol, 100) for symbol in ("AAA", "BBB", "CCC")}


@pytest.fixture
def host():
    made = []

    def make(name, folder, *flags):
        made.append(OtherHost(name, folder, *flags))
        return made[-1]

    yield make
    for server in made:
        if server.process is not None and server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
            server.kill()


def _publish(server, symbol):
    with Client(server.address) as client:
        return client.publish_bars(BARS[symbol], mode="backfill")


def _stored(server):
    with Client(server.address) as client:
        return {symbol: len(client.bars(symbol, "1d")) for symbol in BARS}


def _check_takeover(first, second):
    """The first is paused until its lease has ended, the second takes over, and the first goes on."""
    first.start()
    _publish(first, "AAA")
    assert "in use by process" in second.start_refused()
    _publish(first, "AAA")  # the refused start changed nothing
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    _publish(second, "BBB")
    first.process.send_signal(signal.SIGCONT)
    with pytest.raises(GlasstapeError), Client(first.address, timeout=2.0) as client:
        client.publish_bars(BARS["CCC"], mode="backfill")
    first.process.wait(timeout=20)  # by itself
    assert first.stop() == 1
    end = time.monotonic() + 10
    while "taken over by process" not in "".join(first.log):
        assert time.monotonic() < end, first.log
        time.sleep(0.05)
    assert second.stop() == 0


def test_a_paused_server_acknowledges_nothing_after_another_host_took_over(host, tmp_path):
    _check_takeover(host("one", tmp_path / "data"), host("two", tmp_path / "data"))
    with ServerProcess(tmp_path / "data") as server:
        assert _stored(server) == {"AAA": 100, "BBB": 100, "CCC": 0}


@pytest.mark.skipif(
    shutil.which("bindfs") is None or not os.access("/dev/fuse", os.W_OK), reason="requires bindfs and FUSE"
)
def test_two_mounts_of_one_folder_have_one_server(host, tmp_path):
    real, mounts = tmp_path / "real", [tmp_path / "one", tmp_path / "two"]
    real.mkdir()
    try:
        for mount in mounts:
            mount.mkdir()
            subprocess.run(["bindfs", "--no-allow-other", str(real), str(mount)], check=True)
        first, second = (host(mount.name, mount / "data", "--allow-shared-storage") for mount in mounts)
        with pytest.raises(AssertionError, match=r"is on fuse .*, a network or FUSE file system"):
            ServerProcess(mounts[0] / "data").start()
        _check_takeover(first, second)
    finally:
        for mount in mounts:
            subprocess.run(["umount", "--lazy", str(mount)], check=False)
    with ServerProcess(real / "data") as server:
        assert _stored(server) == {"AAA": 100, "BBB": 100, "CCC": 0}
