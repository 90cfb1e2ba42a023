"""A server process for benchmarks."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def server(*flags: str) -> Iterator[str]:
    """Run a server with a data folder of its own; yields its address.

    Raises:
        RuntimeError: it did not start; its own words are on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-") as folder:
        command = [sys.executable, "-m", "glasstape.cli", "serve", "--port", "0", "--data-dir", folder]
        command += ["--log-level", "warning", *flags]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line:
                    raise RuntimeError("the server did not start")
                yield line.removeprefix("serving on ").strip()
            finally:
                process.terminate()
                process.wait(timeout=30)
