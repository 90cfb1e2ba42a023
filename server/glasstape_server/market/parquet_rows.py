"""Rows of Parquet files as frames, some rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from glasstape.barfile.errors import BarFileError, Problems
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.reading import NUMBERS
from glasstape.barfile.titles import columns_of

from glasstape_server.market import parquet
from glasstape_server.market.polars_errors import reading

SLICE = 1_000_000
"""Rows of a frame."""


class ParquetRows:
    """Rows of one Parquet file of bars."""

    unit = "row"

    def __init__(self, path: Path, options: BarFileOptions) -> None:
        """Read the columns of a file.

        Raises:
            BarFileError: unreadable, a column is missing, or the symbols are numbers.
        """
        self.path = path
        parquet.check([path])
        with reading(path):
            schema = pl.scan_parquet(path, glob=False).collect_schema()
            self._rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        titles = schema.names()
        self.columns = columns_of(titles, options, str(path))
        by_role = self.columns.by_role
        if "symbol" in by_role:
            kind = schema.dtypes()[by_role["symbol"]]
            if kind not in (pl.String, pl.Categorical) and not isinstance(kind, pl.Enum | pl.Categorical):
                raise BarFileError(
                    f"{path}: the symbols in column {titles[by_role['symbol']]!r} must be text, are {kind}: "
                    "codes have lost their leading zeros; write the column as text"
                )
        for role in NUMBERS:
            if role in by_role and not _holds_numbers(schema.dtypes()[by_role[role]]):
                raise BarFileError(
                    f"{path}: the column {titles[by_role[role]]!r} must hold numbers, "
                    f"is {schema.dtypes()[by_role[role]]}"
                )
        time = schema.dtypes()[by_role.get("time", by_role.get("date", 0))]
        self.stated: dict[str, Any] = {
            "zone": (time.time_zone or "") if isinstance(time, pl.Datetime) else ""
        }
        """What the schema states, as keywords of `Decisions.make`."""
        self.notes: list[str] = []
        self._needed = sorted({*by_role.values(), *self.columns.unclaimed})
        self._titles = titles

    def frames(self, problems: Problems | None = None, skip: int = 0) -> Iterator[pl.DataFrame]:
        """Yield slices of rows.

        Args:
            problems: unused; every row of a Parquet file has all fields.
            skip: number of first slices that are not needed.

        Returns:
            Columns `row` (from 1) and each column that is needed, named by its position.

        Raises:
            BarFileError: reading failed.
        """
        scan = pl.scan_parquet(self.path, glob=False).select(
            pl.col(self._titles[at]).alias(str(at)) for at in self._needed
        )
        for first in range(skip * SLICE, self._rows, SLICE):
            with reading(self.path):
                frame = scan.slice(first, SLICE).collect()
            texts = [
                pl.col(name).cast(pl.String) for name, kind in frame.schema.items() if not _is_plain(kind)
            ]
            yield frame.with_columns(texts).with_row_index("row", offset=first + 1)


def _holds_numbers(kind: pl.DataType) -> bool:
    return (
        kind.is_numeric()
        or kind in (pl.String, pl.Null, pl.Categorical)
        or isinstance(kind, pl.Categorical | pl.Enum)
    )


def _is_plain(kind: pl.DataType) -> bool:
    return not (isinstance(kind, pl.Categorical | pl.Enum) or kind == pl.Null)
