"""Closed-loop load by h2load (of nghttp2): a Python client would be what is measured."""

import re
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
    """Make gRPC calls of one method, all alike.

    Raises:
        ValueError: h2load is not there, or a call failed.
    """
    frame = b"\0" + struct.pack(">I", len(message)) + message
    return _h2load(address, path, frame, load, "-H", "content-type: application/grpc", "-H", "te: trailers")


def post(address: str, path: str, body: bytes, content_type: str, answer: int, load: Load) -> Answered:
    """Make HTTP/1.1 calls, all alike; of a load with one call in flight on each connection.

    Args:
        answer: bytes of a right answer's body. h2load learns no status from an answer without a reason phrase,
            which TorchServe gives: there, failures are told by their short answers.

    Raises:
        ValueError: h2load is not there, or a call failed.
    """
    return _h2load(address, path, body, load, "--h1", "-H", f"content-type: {content_type}", answer=answer)


def _h2load(address: str, path: str, body: bytes, load: Load, *flags: str, answer: int = 0) -> Answered:
    tool = shutil.which("h2load")
    if tool is None:
        raise ValueError("h2load is not installed: it is in Debian's package nghttp2-client")
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        data.write_bytes(body)
        command = [tool, "-c", str(load.connections), "-m", str(load.in_flight), "-t", "1"]
        command += ["-D", str(load.seconds), "-d", str(data), f"--log-file={log}", *flags]
        command.append(f"http://{address}{path}")
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = [line.split() for line in log.read_text().splitlines()]
    statuses = {status for _, status, _ in rows}
    received = re.search(r"\((\d+)\) data", said)
    silent = statuses == {"0"} and received and int(received[1]) >= len(rows) * answer > 0
    if statuses != {"200"} and not silent:
        failed = ", ".join(sorted(statuses - {"200"})) or "none was answered"
        raise ValueError(f"{path}: calls failed under load: {failed}")
    times = sorted(int(micros) / 1e6 for _, _, micros in rows)
    took = (max(int(s) + int(d) for s, _, d in rows) - min(int(s) for s, _, _ in rows)) / 1e6
    return Answered(len(rows) / took, statistics.median(times), times[int(0.99 * (len(times) - 1))])
