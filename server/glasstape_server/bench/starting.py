"""`glasstape bench start`: time until the server is ready, its idle memory, and import time of the SDK."""

import subprocess
import sys
import time
from pathlib import Path

from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import server


def run(rounds: int) -> BenchmarkReport:
    """Measure, with a new process for each value."""
    values: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        values.setdefault(name, []).append(value)

    for _ in range(rounds):
        add("python", _seconds(""))
        add("torch", _seconds("import torch"))
        add("grpc", _seconds("import grpc, numpy"))
        add("sdk", _seconds("import glasstape; glasstape.Client"))
        started = time.perf_counter()
        with server() as running:
            add("ready", time.perf_counter() - started)
            time.sleep(1)
            add("resident", _resident_mib(running.pid))
    to_torch = {"import torch": ratios(values["ready"], values["torch"])}
    to_grpc = {"import grpc, numpy": ratios(values["sdk"], values["grpc"])}
    measurements = [
        Measurement("server ready", "s", values["ready"], to_torch),
        Measurement("import torch", "s", values["torch"]),
        Measurement("import of the SDK and its client", "s", values["sdk"], to_grpc),
        Measurement("import grpc, numpy", "s", values["grpc"]),
        Measurement("start of Python", "s", values["python"]),
    ]
    if any(values["resident"]):
        measurements.append(Measurement("resident memory of the idle server", "MiB", values["resident"]))
    return BenchmarkReport("Start", f"{rounds} rounds, one process each.", measurements)


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def _resident_mib(pid: int) -> float:
    """Return the resident memory of a process, MiB; 0 on systems without /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return 0.0
    return next(
        int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS")
    )
