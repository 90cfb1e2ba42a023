"""Columns of times, taken apart whole columns at a time.

Text is taken apart by the scalar functions of `glasstape.barfile.time_cells`, once for each distinct date and each
distinct time of day, so that both readers of bar files read alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from glasstape.barfile.errors import BarFileError
from glasstape.barfile.reading import joined_date
from glasstape.barfile.time_cells import DAY, SECOND, DateCell, TimeCell, clock_cell, time_cell
from glasstape.barfile.time_rule import TimeEvidence

_TEN = r"^(?:[0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}|[0-9]{2}[-/.][0-9]{2}[-/.][0-9]{4})[T ]"
"""Times whose date takes the first ten characters."""
_ANY_DAY = "2000-01-01"
_SCHEMA = {"date": pl.String, "day": pl.Int64, "clock": pl.Int64, "offset": pl.Int64, "epoch": pl.String}


@dataclass(slots=True)
class TimeParts:
    """Parts of a column of times."""

    frame: pl.DataFrame
    """Columns `row`, then `date` (its text) or `day` (since 1970), `clock` and `offset` (microseconds, may be null), or
    `epoch` (a number since 1970, as text). An unreadable cell has neither date, day nor epoch."""
    cells: tuple[pl.Series, ...]
    """Columns of the file."""
    dates: dict[str, DateCell] = field(default_factory=dict)
    """Dates taken apart, by their text."""

    def text(self, index: int) -> str:
        """Return a cell as the file has it, without blanks around it."""
        return " ".join(_shown(column[index]) for column in self.cells)

    def see(self, evidence: TimeEvidence) -> None:
        """Note in `evidence` what the cells show."""
        frame = self.frame.with_row_index("at")
        read = frame.select(pl.any_horizontal(pl.col("date", "day", "epoch").is_not_null()).alias("read"))[
            "read"
        ]
        good = frame if read.all() else frame.filter(read)
        if self.dates:
            for date, row, at in _firsts(good.drop_nulls("date"), "date"):
                evidence.see_date(self.dates[date], row, self.text(at))
        epochs = good.drop_nulls("epoch")
        for epoch, row, _ in _firsts(epochs, "epoch"):
            evidence.see_epoch(epoch, row)
        clocked = good if epochs.is_empty() else good.filter(pl.col("epoch").is_null())
        for clock, offset, row, at in _first_clocks(clocked):
            evidence.see_clock(clock, offset, row, self.text(at))
        for end in (good.head(1), good.tail(1)):
            if end.height:
                evidence.see_end(self._cell(end.row(0, named=True)))

    def _cell(self, row: dict[str, Any]) -> TimeCell:
        if row["epoch"] is not None:
            return TimeCell(None, epoch=row["epoch"])
        date = self.dates[row["date"]] if row["date"] is not None else DateCell(0, 0, row["day"], True)
        return TimeCell(date, row["clock"], row["offset"])


def parts_of(frame: pl.DataFrame, by_role: dict[str, int], path: Path) -> TimeParts:
    """Return the parts of a frame's times.

    Args:
        frame: as `TextRows.frames` or `ParquetRows.frames` yield it.
        by_role: positions of its columns.
        path: the file, for messages.

    Raises:
        BarFileError: the column is of a type that holds no times.
    """
    if "time" in by_role:
        column = _readable(frame[str(by_role["time"])], path)
        read = _text_parts if column.dtype == pl.String else _typed_parts
        return read(frame["row"], column)
    columns = (_readable(frame[str(by_role[role])], path) for role in ("date", "clock"))
    return _joined_parts(frame["row"], *(_as_text(column) for column in columns))


def _readable(column: pl.Series, path: Path) -> pl.Series:
    kind = column.dtype
    if kind.is_integer() or kind == pl.Null or isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    if kind in (pl.String, pl.Date, pl.Time) or isinstance(kind, pl.Datetime):
        return column
    if kind.is_float() and bool((column.drop_nulls() % 1 == 0).all()):
        return column.cast(pl.Int64, strict=False).cast(pl.String)
    raise BarFileError(f"{path}: times must be dates, times, text or whole numbers since 1970, are {kind}")


def _as_text(column: pl.Series) -> pl.Series:
    return column if column.dtype == pl.String else column.cast(pl.String)


def _shown(value: object) -> str:
    return "" if value is None else str(value).strip()


def _firsts(frame: pl.DataFrame, *keys: str) -> list[tuple[Any, ...]]:
    """Return each distinct key with its first row number and index."""
    firsts = frame.group_by(*keys, maintain_order=True).agg(pl.col("row").first(), pl.col("at").first())
    return firsts.rows()


def _first_clocks(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return clock, offset, row and index of the first row of each kind that evidence tells apart."""
    clock, naive = frame["clock"], frame["offset"].is_null()
    timed = clock.is_not_null()
    midnight = (clock == 0).fill_null(False)
    utc = (frame["offset"] == 0).fill_null(False)
    stated = timed & ~midnight & ~naive
    masks = (
        ~timed,
        midnight & naive,
        midnight & ~naive,
        timed & ~midnight & naive,
        stated & utc,
        stated & ~utc,
    )
    firsts = [int(mask.arg_max() or 0) for mask in masks if mask.any()]
    return [frame.select("clock", "offset", "row", "at").row(first) for first in sorted(firsts)]


def _typed_parts(rows: pl.Series, column: pl.Series) -> TimeParts:
    kind = column.dtype
    local, offset = column, pl.lit(None, pl.Int64)
    if isinstance(kind, pl.Datetime):
        utc = column.dt.cast_time_unit("us")
        local = utc.dt.replace_time_zone(None).cast(pl.Int64)
        if kind.time_zone is not None:
            offset = pl.lit(local - utc.cast(pl.Int64))
        day, clock = local // DAY, pl.lit(local % DAY)
    else:
        day, clock = column.cast(pl.Int64), pl.lit(None, pl.Int64)
    second = clock % SECOND
    frame = pl.select(
        pl.lit(rows).alias("row"),
        pl.lit(None, pl.String).alias("date"),
        pl.lit(day).alias("day"),
        # As `time_cells` reads …59.999: the last instant of a bar is its end.
        pl.when(second.is_in([999_000, 999_999]))
        .then(clock - second + SECOND)
        .otherwise(clock)
        .alias("clock"),
        offset.alias("offset"),
        pl.lit(None, pl.String).alias("epoch"),
    )
    return TimeParts(frame, (column,))


def _text_parts(rows: pl.Series, column: pl.Series) -> TimeParts:
    dates: dict[str, DateCell] = {}
    ten = column.str.contains(_TEN).fill_null(False)
    if ten.all():
        return TimeParts(_ten_parts(rows, column, dates), (column,), dates)
    some = _ten_parts(rows.filter(ten), column.filter(ten), dates)
    others = _other_parts(rows.filter(~ten), column.filter(~ten), dates)
    return TimeParts(pl.concat([some, others]).sort("row"), (column,), dates)


def _ten_parts(rows: pl.Series, column: pl.Series, dates: dict[str, DateCell]) -> pl.DataFrame:
    """Return the parts of cells whose date takes ten characters: distinct dates and distinct rests are read once."""
    head, rest = column.str.slice(0, 10).alias("date"), column.str.slice(10).alias("rest")
    known = _read_each(rest, lambda text: time_cell(_ANY_DAY + text))
    for text, cell in _read_each(head, time_cell).items():
        if cell.date is not None:
            dates[text] = cell.date
    parts = _mapped(rest, {text: (cell.clock, cell.offset) for text, cell in known.items()})
    good = parts["found"] & head.is_in(list(dates))
    return pl.select(
        pl.lit(rows).alias("row"),
        pl.when(good).then(head).alias("date"),
        pl.lit(None, pl.Int64).alias("day"),
        pl.lit(parts["first"]).alias("clock"),
        pl.lit(parts["second"]).alias("offset"),
        pl.lit(None, pl.String).alias("epoch"),
    )


def _other_parts(rows: pl.Series, column: pl.Series, dates: dict[str, DateCell]) -> pl.DataFrame:
    """Return the parts of cells of any form: distinct ones are read once."""
    values: list[tuple[Any, ...]] = []
    for text, cell in _read_each(column, time_cell).items():
        if cell.date is None:
            values.append((text, None, None, None, None, cell.epoch))
            continue
        dates[text] = cell.date
        values.append((text, text, None, cell.clock, cell.offset, None))
    table = pl.DataFrame(values, schema={"cell": pl.String, **_SCHEMA}, orient="row")
    cells = pl.DataFrame({"row": rows, "cell": column})
    return cells.join(table, on="cell", how="left", maintain_order="left").drop("cell")


def _joined_parts(rows: pl.Series, dates: pl.Series, clocks: pl.Series) -> TimeParts:
    """Return the parts of a column of dates and one of times of day."""
    days = {text: cell for text, cell in _read_each(dates, joined_date).items() if cell.date is not None}
    read = _mapped(clocks, _read_each(clocks, clock_cell))
    offsets = _mapped(dates, {text: (None, cell.offset) for text, cell in days.items()})
    good = read["found"] & offsets["found"]
    frame = pl.select(
        pl.lit(rows).alias("row"),
        pl.when(good).then(dates).alias("date"),
        pl.lit(None, pl.Int64).alias("day"),
        pl.lit(read["first"]).alias("clock"),
        pl.coalesce(read["second"], offsets["second"]).alias("offset"),
        pl.lit(None, pl.String).alias("epoch"),
    )
    found = {text: cell.date for text, cell in days.items() if cell.date is not None}
    return TimeParts(frame, (dates, clocks), found)


def _read_each(column: pl.Series, read: Callable[[str], Any]) -> dict[str, Any]:
    """Return what a scalar function reads in each distinct cell; those it cannot read are left out."""
    found = {}
    for text in column.unique():
        if text is not None:
            try:
                found[text] = read(text)
            except ValueError:
                continue
    return found


def _mapped(column: pl.Series, values: dict[str, tuple[int | None, int | None]]) -> pl.DataFrame:
    """Return columns `first`, `second` and `found` of a column's cells."""
    table = pl.DataFrame(
        [(text, *pair, True) for text, pair in values.items()],
        schema={"cell": pl.String, "first": pl.Int64, "second": pl.Int64, "found": pl.Boolean},
        orient="row",
    )
    cells = pl.DataFrame({"cell": column})
    joined = cells.join(table, on="cell", how="left", maintain_order="left")
    return joined.with_columns(pl.col("found").fill_null(False))
