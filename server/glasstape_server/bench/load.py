"""Closed-loop load of raw gRPC frames, by h2load (of nghttp2): a Python client would be what is measured."""

import shutil
import statistics
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Load:
    """How calls are made."""

    connections: int
    in_flight: int
    """On each connection."""
    seconds: float


@dataclass(frozen=True)
class Answered:
    """What came of it."""

    per_second: float
    p50: float
    """Seconds."""
    p99: float


def call(address: str, path: str, message: bytes, load: Load) -> Answered:
    """Make calls of one method, all alike.

    Raises:
        ValueError: h2load is not there, or a call failed.
    """
    tool = shutil.which("h2load")
    if tool is None:
        raise ValueError("h2load is not installed: it is in Debian's package nghttp2-client")
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        frame, log = Path(folder) / "frame", Path(folder) / "log"
        frame.write_bytes(b"\0" + struct.pack(">I", len(message)) + message)
        command = [tool, "-c", str(load.connections), "-m", str(load.in_flight), "-t", "1"]
        command += ["-D", str(load.seconds), "-d", str(frame), f"--log-file={log}"]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://{address}{path}"]
        subprocess.run(command, check=True, capture_output=True)
        rows = [line.split() for line in log.read_text().splitlines()]
    if not rows or any(status != "200" for _, status, _ in rows):
        raise ValueError(f"{path}: calls failed under load")
    times = sorted(int(micros) / 1e6 for _, _, micros in rows)
    took = (max(int(s) + int(d) for s, _, d in rows) - min(int(s) for s, _, _ in rows)) / 1e6
    return Answered(len(rows) / took, statistics.median(times), times[int(0.99 * (len(times) - 1))])
