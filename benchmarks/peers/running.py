"""Start a peer's processes, check their result and stop the whole process group."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np

from benchmarks.peers.kinds import Endpoint, Peer
from benchmarks.peers.servers.network import logits_of, network

START_SECONDS = 120.0
PORTS = 5


def known_windows(count: int) -> np.ndarray:
    """Return the same random windows on every call: float32 (count, 6, 8)."""
    return np.random.default_rng(0).normal(size=(count, 6, 8)).astype("<f4")


@contextlib.contextmanager
def running(peer: Peer, python: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Run a peer; yields its addresses for predictions and explanations once its logits are correct.

    Raises:
        ValueError: it did not start, or its logits differ from those of the network.
    """
    ports = _free_ports()
    start = peer.start(python, ports, folder)
    log = folder / "log"
    with log.open("wb") as words:
        started = subprocess.Popen(
            start.command,
            env={**os.environ, **start.environment},
            cwd=start.cwd or folder,
            stdout=words,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        addresses = f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"
        _await_the_right_answer(peer, addresses[0], started, log)
        yield addresses
    finally:
        _end(started)


def _await_the_right_answer(peer: Peer, address: str, started: "subprocess.Popen[bytes]", log: Path) -> None:
    windows = known_windows(3)
    expected = logits_of(network(), windows).ravel()
    deadline, last = time.monotonic() + START_SECONDS, "it never listened"
    while time.monotonic() < deadline and started.poll() is None:
        try:
            answer = peer.predict.answer(ask(peer.predict, address, peer.predict.message(windows)))
        except (grpc.RpcError, http.client.HTTPException, OSError, ValueError) as error:
            last = str(error).replace("\n", " ")[:300]
            time.sleep(0.5)
            continue
        if answer.shape != expected.shape or not np.allclose(answer, expected, atol=1e-5):
            raise ValueError(f"{peer.name}: answers {answer[:3]}, the network {expected[:3]}")
        return
    words = " ".join(log.read_text(errors="replace").split()[-60:])
    raise ValueError(f"{peer.name}: did not start: {last}; its last words: {words}")


def ask(endpoint: Endpoint, address: str, message: bytes) -> bytes:
    """Make one call; returns the answer's bytes."""
    if endpoint.http:
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request("POST", endpoint.path, message, {"content-type": endpoint.http})
        return connection.getresponse().read()
    with grpc.insecure_channel(address) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(endpoint.path)
        return method(message, timeout=10)


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(PORTS)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


def _end(started: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM first: some peers have workers in sessions of their own."""
    started.terminate()
    try:
        started.wait(timeout=20)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    with contextlib.suppress(ProcessLookupError):  # the group has already ended
        os.killpg(started.pid, signal.SIGKILL)
