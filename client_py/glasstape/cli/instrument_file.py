"""Tables of instruments as files: CSV with the standard library, Parquet with polars."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasstape import Client, Instrument, InvalidRequestError
from glasstape.barfile.content import is_parquet, opened, text_format
from glasstape.instruments import Row, columns_of, instruments_from_rows

SIDE_SUFFIX = ".instruments.csv"
"""Ends the name of the table beside a file of bars: prices.csv.instruments.csv or prices.instruments.csv."""
BATCH = 10_000
"""Instruments of one call."""
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class InstrumentTable:
    """A table that was read."""

    instruments: Sequence[Instrument]
    ignored: Sequence[str]
    """Titles of columns that hold no field of an instrument."""


def side_file(bars: Path) -> Path | None:
    """Return the table of instruments that lies beside a file of bars; None: there is none."""
    stem = bars.name.partition(".")[0]
    for name in (bars.name + SIDE_SUFFIX, stem + SIDE_SUFFIX):
        path = bars.with_name(name)
        if path != bars and path.is_file():
            return path
    return None


def instruments_beside(bars: Path, table: Path | None) -> Sequence[Instrument]:
    """Return the instruments of a table, or of the one that lies beside a file of bars; none if there is neither.

    Raises:
        InvalidRequestError: see `read_instruments`.
        BarFileError: see `read_instruments`.
    """
    path = table or side_file(bars)
    return () if path is None else read_instruments(path).instruments


def publish_instruments(client: Client, instruments: Sequence[Instrument]) -> None:
    """Send descriptions of any number of instruments."""
    for first in range(0, len(instruments), BATCH):
        client.publish_bars([], instruments=instruments[first : first + BATCH])


def read_instruments(path: Path) -> InstrumentTable:
    """Read a table of instruments: a column for the symbol, and columns of `glasstape.instruments.TITLES`.

    Raises:
        InvalidRequestError: it is no such table, or a value breaks a rule; names file, line, column and value.
        BarFileError: it cannot be read, or is neither text nor Parquet.
        ModuleNotFoundError: it is Parquet, and polars is not installed.
    """
    titles, rows, lines = _parquet_rows(path) if is_parquet(path) else _csv_rows(path)
    columns = columns_of(titles)
    if "symbol" not in columns:
        raise InvalidRequestError.field(str(path), f"must have a column for symbol, has {', '.join(titles)}")
    if len(columns) == 1:
        rule = f"must have a column that describes instruments, has {', '.join(titles)}"
        raise InvalidRequestError.field(str(path), rule)
    used = {title for names in columns.values() for title in names}
    found = instruments_from_rows(rows, newest_wins=False, where=lambda number: f"{path}:{lines[number - 1]}")
    return InstrumentTable(found, [title for title in titles if title not in used])


_Rows = tuple[list[str], list[Row], Sequence[int]]
"""Titles, rows by title, and the line of each row."""


def _csv_rows(path: Path) -> _Rows:
    with opened(path, text_format(path)) as file:
        text = file.read()
    first = text.lstrip("\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    titles, rows, lines = list[str](), list[Row](), list[int]()
    for values in _values(path, reader):
        if not any(value.strip() for value in values):
            continue
        if not titles:
            titles = [value.strip() for value in values]
            _check_titles(path, titles)
            continue
        if len(values) != len(titles):
            rule = f"must have {len(titles)} values as its titles, has {len(values)}"
            raise InvalidRequestError.field(f"{path}:{reader.line_num}", rule)
        rows.append(dict(zip(titles, values, strict=True)))
        lines.append(reader.line_num)
    if not rows:
        raise InvalidRequestError.field(str(path), "must have titles and at least one row, is empty")
    return titles, rows, lines


def _values(path: Path, reader: Any) -> Iterator[list[str]]:
    """Yield the values of each line of a `csv.reader`.

    Raises:
        InvalidRequestError: a line is no CSV.
    """
    try:
        yield from reader
    except csv.Error as error:
        raise InvalidRequestError.field(f"{path}:{reader.line_num}", f"must be CSV: {error}") from None


def _check_titles(path: Path, titles: Sequence[str]) -> None:
    for title in titles:
        if titles.count(title) > 1:
            raise InvalidRequestError.field(str(path), f"must have each title once, has {title!r} again")


def _parquet_rows(path: Path) -> _Rows:
    import polars as pl

    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InvalidRequestError.field(str(path), f"must be a Parquet file: {reason}") from None
    for title in columns_of(frame.columns).get("symbol", ()):
        if frame.schema[title] != pl.String and not isinstance(frame.schema[title], pl.Categorical | pl.Enum):
            rule = f"must be text, the column is {frame.schema[title]}: leading zeros are lost"
            raise InvalidRequestError.field(f"{path}: {title}", rule)
    rows: list[Row] = [
        {title: None if value is None else str(value) for title, value in row.items()}
        for row in frame.iter_rows(named=True)
    ]
    return frame.columns, rows, range(1, len(rows) + 1)
