"""What the cells of a file of bars mean: numbers as spreadsheets write them, and times in many spellings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import polars as pl

from glasstape_server.domain.values import INTERVALS

_OFFSET = re.compile(r"(Z|[+-]\d\d:?\d\d)$")
"""At the end of a time that says its offset from UTC."""


class FileError(ValueError):
    """A file that bars cannot be read from; the text names file, column and rule."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What a file does not say itself."""

    time_zone: str = "UTC"
    """IANA zone of times without an offset."""
    close: time = time(0, 0)
    """Local closing time of bars that carry a date alone."""
    symbol: str = ""
    """Symbol of files without a symbol column. Default: the file's name."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever polars says of a file becomes a FileError, one line long.

    A damaged Parquet file may even make it panic, and a panic is no `Exception`.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise FileError(
            f"{path}: cannot be read: {(str(error).splitlines() or [type(error).__name__])[0]}"
        ) from None


def numbers(frame: pl.DataFrame, names: list[str], path: Path) -> pl.DataFrame:
    """Columns of prices and volumes as numbers: spreadsheets write 71,000.

    Raises:
        FileError: a cell is no number.
    """
    for name in names:
        if frame.schema[name] != pl.String:
            continue
        plain = frame[name].str.strip_chars()
        grouped = plain.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$")
        made = plain.str.replace_all(",", "").cast(pl.Float64, strict=False).alias(name)
        wrong = (made.is_null() & plain.is_not_null()) | (plain.str.contains(",") & ~grouped)
        row = wrong.arg_max()
        if wrong.any() and row is not None:
            found = f"row {frame['_row'][row]}: {name} must be a number, is {frame[name][row]!r}"
            raise FileError(f"{path}: {found}")
        frame = frame.with_columns(made)
    return frame


def close_times(frame: pl.DataFrame, name: str, interval: str, form: FileFormat, path: Path) -> pl.Series:
    """Close times of a column, in microseconds UTC; null where there is none, or where clocks skip it.

    Raises:
        FileError: a cell is no time.
    """
    column = frame[name]
    if column.dtype == pl.String:
        column = _spelled(frame, name, path)
    elif column.dtype.is_integer():
        # Nothing says what other numbers count, and a wrong guess would be a wrong time.
        if not column.drop_nulls().is_between(19_000_101, 21_001_231).all():
            raise FileError(f"{path}: column {name}: numbers must be days as YYYYMMDD")
        column = _told(column.cast(pl.String).str.to_date("%Y%m%d", strict=False), frame, name, path)
    kind = column.dtype
    if kind != pl.Date and not isinstance(kind, pl.Datetime):
        raise FileError(f"{path}: column {name}: must hold dates or times, holds {kind}")
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.epoch("us")
    daily = INTERVALS[interval] >= INTERVALS["1d"]
    if daily and kind != pl.Date and (column.drop_nulls().dt.time() == time(0, 0)).all():
        # Daily bars at midnight are dates in disguise; taken as times they would close before their day.
        column = column.dt.date()
    if column.dtype == pl.Date:
        column = column.dt.combine(form.close, time_unit="us")
    with reading(path):
        local = column.cast(pl.Datetime("us")).dt.replace_time_zone(
            form.time_zone, ambiguous="earliest", non_existent="null"
        )
        return local.dt.convert_time_zone("UTC").dt.epoch("us")


def _spelled(frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """A column of texts as dates or times, all spelled as the first is."""
    texts = frame[name].str.strip_chars()
    sample = next(iter(texts.drop_nulls()), "")
    try:
        if len(sample) > 10 and _OFFSET.search(sample):
            made = texts.str.replace(" ", "T").str.to_datetime(
                "%+", time_unit="us", time_zone="UTC", strict=False
            )
        elif len(sample) <= 10:
            made = texts.str.to_date(strict=False)
        else:
            made = texts.str.to_datetime(time_unit="us", strict=False)
    except pl.exceptions.PolarsError:  # it found no spelling that fits
        raise FileError(f"{path}: column {name}: must hold dates or times, holds {sample[:40]!r}") from None
    return _told(made, frame, name, path)


def _told(made: pl.Series, frame: pl.DataFrame, name: str, path: Path) -> pl.Series:
    wrong = made.is_null() & frame[name].is_not_null()
    row = wrong.arg_max()
    if wrong.any() and row is not None:
        told = f"{name} must be a date or time as those before it, is {str(frame[name][row])[:40]!r}"
        raise FileError(f"{path}: row {frame['_row'][row]}: {told}")
    return made
