"""Server processes for benchmarks."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class BenchmarkServer:
    """A running server process."""

    address: str
    pid: int


@contextmanager
def server(*flags: str) -> Iterator[BenchmarkServer]:
    """Run `glasstape serve` with flags and a temporary data folder.

    Raises:
        RuntimeError: it did not start; its output is on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        command = ["glasstape.cli", "serve", "--port", "0", "--data-dir", folder, "--log-level", "error"]
        with process(*command, *flags) as running:
            yield running


@contextmanager
def process(module: str, *arguments: str) -> Iterator[BenchmarkServer]:
    """Run a module that prints "serving on ADDRESS".

    Raises:
        RuntimeError: it did not start; its output is on stderr.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            line = running.stdout.readline() if running.stdout else ""
            if not line:
                raise RuntimeError(f"{module} did not start")
            yield BenchmarkServer(line.removeprefix("serving on ").strip(), running.pid)
        finally:
            running.terminate()
            running.wait(timeout=30)
