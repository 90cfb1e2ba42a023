"""Server processes for benchmarks."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Running:
    """A server process."""

    address: str
    pid: int


@contextmanager
def server(*flags: str) -> Iterator[Running]:
    """Run a server with a data folder of its own.

    Raises:
        RuntimeError: it did not start; its own words are on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        command = ["glasstape.cli", "serve", "--port", "0", "--data-dir", folder, "--log-level", "error"]
        with process(*command, *flags) as running:
            yield running


@contextmanager
def process(module: str, *arguments: str) -> Iterator[Running]:
    """Run a module that prints "serving on ADDRESS".

    Raises:
        RuntimeError: it did not start; its own words are on stderr.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            line = running.stdout.readline() if running.stdout else ""
            if not line:
                raise RuntimeError(f"{module} did not start")
            yield Running(line.removeprefix("serving on ").strip(), running.pid)
        finally:
            running.terminate()
            running.wait(timeout=30)
