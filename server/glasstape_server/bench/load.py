"""Closed-loop load by h2load of nghttp2, because a Python client would be the bottleneck."""

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
    """Concurrency and duration of a load."""

    connections: int
    in_flight: int
    """Calls in flight per connection."""
    seconds: float


@dataclass(frozen=True)
class LoadResult:
    """Throughput and latency under a load."""

    per_second: float
    """Completed calls per second."""
    p50: float
    """Median latency, seconds."""
    p99: float
    """99th percentile of the latency, seconds."""


def call(address: str, path: str, message: bytes, load: Load) -> LoadResult:
    """Make gRPC calls of one method with the same message.

    Raises:
        ValueError: h2load is not installed, or a call failed.
    """
    frame = b"\0" + struct.pack(">I", len(message)) + message
    return _h2load(address, path, frame, load, "-H", "content-type: application/grpc", "-H", "te: trailers")


def post(
    address: str, path: str, body: bytes, content_type: str, response_bytes: int, load: Load
) -> LoadResult:
    """Make HTTP/1.1 POST requests with the same body; the load must have one request in flight per connection.

    Args:
        address: host:port.
        path: of the URL.
        body: of the request.
        content_type: of the body.
        response_bytes: size of the body of a successful response. h2load reads no status from a response without a
            reason phrase, as TorchServe sends; failures are then detected by their shorter bodies.
        load: concurrency and duration.

    Raises:
        ValueError: h2load is not installed, or a request failed.
    """
    header = f"content-type: {content_type}"
    return _h2load(address, path, body, load, "--h1", "-H", header, response_bytes=response_bytes)


def _h2load(
    address: str, path: str, body: bytes, load: Load, *flags: str, response_bytes: int = 0
) -> LoadResult:
    tool = shutil.which("h2load")
    if tool is None:
        raise ValueError("h2load is not installed; Debian's package is nghttp2-client")
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        data, log = Path(folder) / "data", Path(folder) / "log"
        data.write_bytes(body)
        command = [tool, "-c", str(load.connections), "-m", str(load.in_flight), "-t", "1"]
        command += ["-D", str(load.seconds), "-d", str(data), f"--log-file={log}", *flags]
        command.append(f"http://{address}{path}")
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = [line.split() for line in log.read_text().splitlines()]
    statuses = {status for _, status, _ in rows}
    received = re.search(r"\((\d+)\) data", output)
    without_status = statuses == {"0"} and received and int(received[1]) >= len(rows) * response_bytes > 0
    if statuses != {"200"} and not without_status:
        failed = ", ".join(sorted(statuses - {"200"})) or "no response"
        raise ValueError(f"{path}: calls failed under load: {failed}")
    times = sorted(int(micros) / 1e6 for _, _, micros in rows)
    duration = (max(int(s) + int(d) for s, _, d in rows) - min(int(s) for s, _, _ in rows)) / 1e6
    return LoadResult(len(rows) / duration, statistics.median(times), times[int(0.99 * (len(times) - 1))])
