"""`glasstape bench start`: how long until the server is ready, what it holds idle, and what importing the SDK costs."""

import subprocess
import sys
import time
from pathlib import Path

from glasstape_server.bench.report import Figure, Report, ratios
from glasstape_server.bench.serving import server


def run(rounds: int) -> Report:
    """Measure."""
    found: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        found.setdefault(what, []).append(value)

    for _ in range(rounds):
        note("python", _seconds(""))
        note("torch", _seconds("import torch"))
        note("grpc", _seconds("import grpc, numpy"))
        note("sdk", _seconds("import glasstape; glasstape.Client"))
        begun = time.perf_counter()
        with server() as running:
            note("ready", time.perf_counter() - begun)
            time.sleep(1)
            note("resident", _resident(running.pid))
    by_grpc = {"import grpc, numpy": ratios(found["sdk"], found["grpc"])}
    figures = [
        Figure("server ready", "s", found["ready"], {"import torch": ratios(found["ready"], found["torch"])}),
        Figure("import torch", "s", found["torch"]),
        Figure("SDK imported, with its client", "s", found["sdk"], by_grpc),
        Figure("import grpc, numpy", "s", found["grpc"]),
        Figure("Python alone", "s", found["python"]),
    ]
    if any(found["resident"]):
        figures.append(Figure("server idle, resident", "MiB", found["resident"]))
    return Report("Start", f"{rounds} rounds, a process each.", figures)


def _seconds(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def _resident(pid: int) -> float:
    """MiB that a process holds; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return 0.0
    return next(
        int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmRSS")
    )
