"""Whether Parquet files can be read without harm.

Damage inside a page makes polars ask for any amount of memory, and that ends the process: no `except` is
of help (found by fuzzing, polars 2.1.0). So they are read through in a process of its own, once, before
this one opens them.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from glasstape_server.market.cells import FileError

_READ_THROUGH = """
import contextlib, sys
import polars as pl

for number, path in enumerate(sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\\0")):
    print(number, flush=True)
    with contextlib.suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pl.scan_parquet(path, glob=False).select(pl.all().null_count()).collect(engine="streaming")
"""
"""Every page is decoded, little is kept. What can be caught is left to the one who reads in earnest."""


def check(paths: Sequence[Path]) -> None:
    """Read files through in another process.

    Raises:
        FileError: that process was ended by one of them.
    """
    if not paths:
        return
    names = "\0".join(map(str, paths)).encode("utf-8", "surrogateescape")
    done = subprocess.run(
        [sys.executable, "-P", "-c", _READ_THROUGH], input=names, capture_output=True, check=False
    )
    if done.returncode < 0:
        path = paths[int(done.stdout.split()[-1])] if done.stdout.split() else paths[0]
        ended = signal.Signals(-done.returncode).name
        raise FileError(
            f"{path}: cannot be read: its pages are damaged, and end the process that reads them ({ended})"
        )
    if done.returncode:
        last = (done.stderr.decode(errors="replace").splitlines() or ["it says nothing"])[-1]
        raise FileError(f"{paths[0]}: cannot be read: the process that reads it first failed: {last[:200]}")
