"""Check of Parquet files in a child process.

A damaged page can make polars allocate any amount of memory, which ends the process and cannot be caught (found
by fuzzing, polars 2.1.0). So a child process reads the files through, once, before this process opens them.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from glasstape.barfile.errors import BarFileError

_READ_THROUGH = """
import contextlib, sys
import polars as pl

for number, path in enumerate(sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\\0")):
    print(number, flush=True)
    with contextlib.suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pl.scan_parquet(path, glob=False).select(pl.all().null_count()).collect(engine="streaming")
"""
"""Decodes every page and keeps little. Errors that can be caught are raised by the later, real read."""


def check(paths: Sequence[Path]) -> None:
    """Read files through in a child process.

    Raises:
        BarFileError: a file ended the process.
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
        raise BarFileError(
            f"{path}: cannot be read: damaged pages ended the process that read them ({ended})"
        )
    if done.returncode:
        last = (done.stderr.decode(errors="replace").splitlines() or ["no error output"])[-1]
        raise BarFileError(f"{paths[0]}: cannot be read: the check in a child process failed: {last[:200]}")
