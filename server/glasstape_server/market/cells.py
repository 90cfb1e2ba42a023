"""Cells of bar files: numbers as spreadsheets write them, and dates and times in several formats."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import polars as pl

from glasstape_server.domain.times import INTERVALS

_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
"""Offset from UTC, at the end of a time."""


class FileError(ValueError):
    """A file from which bars cannot be read; the text names file, column and rule."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """Properties of a file that it does not state."""

    time_zone: str = "UTC"
    """IANA zone of times without an offset."""
    close: time = time(0, 0)
    """Local closing time of bars that have a date only."""
    symbol: str = ""
    """Symbol of files without a symbol column. Default: the file's name."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of polars into a FileError of one line.

    A damaged Parquet file may make polars panic, and its PanicException is not an `Exception`.

    Raises:
        FileError: polars failed.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise FileError(
            f"{path}: cannot be read: {(str(error).splitlines() or [type(error).__name__])[0]}"
        ) from None


def numbers(frame: pl.DataFrame, names: list[str], path: Path) -> pl.DataFrame:
    """Parse columns of prices and volumes; digits may be grouped (71,000).

    Args:
        frame: rows of a file, with the column `_row`.
        names: columns to parse.
        path: the file, for messages.

    Raises:
        FileError: a cell is not a number.
    """
    for name in names:
        if frame.schema[name] != pl.String:
            continue
        plain = frame[name].str.strip_chars()
        grouped = plain.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
        parsed = plain.str.replace_all(",", "").cast(pl.Float64, strict=False).alias(name)
        wrong = (parsed.is_null() & plain.is_not_null()) | (plain.str.contains(",") & ~grouped)
        row = wrong.arg_max()
        if wrong.any() and row is not None:
            rule = f"{name} must be a number, is {frame[name][row]!r}"
            raise FileError(f"{path}: row {frame['_row'][row]}: {rule}")
        frame = frame.with_columns(parsed)
    return frame


def close_times(frame: pl.DataFrame, name: str, interval: str, form: FileFormat, path: Path) -> pl.Series:
    """Parse a column of close times.

    Args:
        frame: rows of a file, with the column `_row`.
        name: column to parse.
        interval: length of the bars, a key of `INTERVALS`.
        form: time zone and closing time.
        path: the file, for messages.

    Returns:
        Microseconds UTC; null for an empty cell and for a local time that clocks skip.

    Raises:
        FileError: a cell is not a time.
    """
    column = frame[name]
    if column.dtype == pl.String:
        column = _parse_text(frame, name, path)
    elif column.dtype.is_integer():
        # The unit of other numbers is unknown, and a wrong guess would be a wrong time.
        if not column.drop_nulls().is_between(19_000_101, 21_001_231).all():
            raise FileError(f"{path}: column {name}: numbers must be days as YYYYMMDD")
        column = _parsed(column.cast(pl.String).str.to_date("%Y%m%d", strict=False), frame, name, path)
    kind = column.dtype
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        raise FileError(f"{path}: column {name}: must hold dates or times, holds {kind}")
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.epoch("us")
    daily = INTERVALS[interval] >= INTERVALS["1d"]
    if daily and kind != pl.Date and (column.drop_nulls().dt.time() == time(0, 0)).all():
        # Daily bars at midnight are dates; taken as times they would close before their day.
        column = column.dt.date()
    if column.dtype == pl.Date:
        column = column.dt.combine(form.close, time_unit="us")
    with reading(path):
        local = column.cast(pl.Datetime("us")).dt.replace_time_zone(
            form.time_zone, ambiguous="earliest", non_existent="null"
        )
        return local.dt.convert_time_zone("UTC").dt.epoch("us")


def _parse_text(frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """Parse a text column as dates or times, all in the format of the first.

    Raises:
        FileError: a cell has another format.
    """
    texts = frame[name].str.strip_chars()
    sample = next(iter(texts.drop_nulls()), "")
    try:
        if len(sample) > 10 and _OFFSET.search(sample):
            parsed = texts.str.replace(" ", "T").str.to_datetime(
                "%+", time_unit="us", time_zone="UTC", strict=False
            )
        elif len(sample) <= 10:
            parsed = texts.str.to_date(strict=False)
        else:
            parsed = texts.str.to_datetime(time_unit="us", strict=False)
    except pl.exceptions.PolarsError:  # no format fits
        raise FileError(f"{path}: column {name}: must hold dates or times, holds {sample[:40]!r}") from None
    return _parsed(parsed, frame, name, path)


def _parsed(parsed: pl.Series, frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """Return a parsed column.

    Raises:
        FileError: a cell did not parse; the text names the first.
    """
    wrong = parsed.is_null() & frame[name].is_not_null()
    row = wrong.arg_max()
    if wrong.any() and row is not None:
        rule = f"{name} must be a date or time in the format of the first, is {str(frame[name][row])[:40]!r}"
        raise FileError(f"{path}: row {frame['_row'][row]}: {rule}")
    return parsed
