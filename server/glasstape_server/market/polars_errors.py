"""Errors of polars as errors of a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from glasstape.barfile.errors import BarFileError


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of polars into one of the file, of one line.

    A damaged Parquet file may make polars panic, and its PanicException is not an `Exception`.

    Raises:
        BarFileError: polars failed.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BarFileError(f"{path}: cannot be read: {reason}") from None
