"""Rows of a bar file as bars: evidence of all rows first, then the bars, frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from glasstape.barfile.errors import BarFileError, Problems, RowProblem
from glasstape.barfile.reading import NUMBERS, UNCLAIMED_ROWS, Decisions, Evidence
from glasstape.barfile.titles import Columns

from glasstape_server.market.close_columns import resolve, settle
from glasstape_server.market.number_columns import numbers, see_decimals
from glasstape_server.market.time_parts import TimeParts, parts_of

KEPT_ROWS = 1_000_000
"""Rows that are kept between the two passes."""


class Rows(Protocol):
    """Rows of one file as frames of cells."""

    path: Path
    unit: str
    """What its rows are called."""
    columns: Columns
    notes: list[str]

    @property
    def stated(self) -> dict[str, Any]:
        """What the layout states, as keywords of `Decisions.make`."""
        ...

    def frames(self, problems: Problems | None = None, skip: int = 0) -> Iterator[pl.DataFrame]:
        """Yield frames with `row`, and the columns named by their positions, without the first `skip` ones."""
        ...


@dataclass(slots=True)
class FirstPass:
    """What all rows of a file show, and its first rows, which need not be taken apart again."""

    evidence: Evidence = field(default_factory=Evidence)
    kept: list[tuple[pl.DataFrame, TimeParts]] = field(default_factory=list)


def first_pass(rows: Rows, problems: Problems, kept_rows: int = KEPT_ROWS) -> FirstPass:
    """Return what all rows show.

    Args:
        rows: of the file.
        problems: takes rows with another number of fields.
        kept_rows: rows to keep between the passes, about.

    Raises:
        BarFileError: reading failed, or there are no rows.
    """
    result, by_role = FirstPass(), rows.columns.by_role
    evidence, count = result.evidence, 0
    for frame in rows.frames(problems):
        proved = frozenset(evidence.decimal.proof)
        for role in NUMBERS:
            if role in by_role:
                cells = frame[str(by_role[role])]
                floats = see_decimals(frame["row"], cells, evidence.decimal, proved)
                if floats is not None and count < kept_rows:
                    frame = frame.with_columns(floats.alias(f"plain {role}"))
        parts = parts_of(frame, by_role, rows.path)
        parts.see(evidence.time)
        if count < kept_rows:
            result.kept.append((frame, parts))
        for position in rows.columns.unclaimed:
            cells = frame[str(position)]
            if count < UNCLAIMED_ROWS and (
                cells.dtype in (pl.String, pl.Categorical) or cells.dtype.is_integer()
            ):
                taken = evidence.unclaimed.setdefault(rows.columns.titles[position], [])
                taken += cells.head(UNCLAIMED_ROWS - count).cast(pl.String).fill_null("").to_list()
        count += frame.height
    if not count and not problems.groups:
        raise BarFileError(f"{rows.path}: there are no bars")
    return result


def bars_of(
    rows: Rows, kept: list[tuple[pl.DataFrame, TimeParts]], decisions: Decisions, problems: Problems
) -> Iterator[pl.DataFrame]:
    """Yield the bars of a file.

    Args:
        rows: of the file.
        kept: first rows, of the first pass; emptied.
        decisions: how they are read.
        problems: takes the rows that are none.

    Returns:
        Columns symbol, close_time (microseconds UTC), open, high, low, close, volume and row.

    Raises:
        BarFileError: reading failed.
    """
    skip = len(kept)
    while kept:
        frame, parts = kept.pop(0)
        yield _bars(frame, parts, decisions, problems)
    for frame in rows.frames(skip=skip):
        yield _bars(frame, parts_of(frame, rows.columns.by_role, rows.path), decisions, problems)


def _bars(frame: pl.DataFrame, parts: TimeParts, decisions: Decisions, problems: Problems) -> pl.DataFrame:
    by_role = decisions.columns.by_role
    frame = frame.with_row_index("at")
    frame = _with_symbols(frame, decisions, problems)
    moments = settle(parts, decisions)[frame["at"]]
    unread = moments["day"].is_null()
    if unread.any():
        for row, at in frame.filter(unread).select("row", "at").iter_rows():
            problems.add(decisions.closes.unreadable(parts.text(at), str(decisions.path), row), row)
        frame, moments = frame.filter(~unread), moments.filter(~unread)
    closes, wrong = resolve(moments, frame["symbol"], parts, frame["at"], decisions)
    for index, problem in wrong:
        problems.add(problem, frame["row"][index])
    frame = frame.with_columns(closes.alias("close_time"))
    if wrong:
        frame = frame.filter(closes.is_not_null())
    for role in NUMBERS:
        if role in by_role:
            frame = _with_number(frame, role, decisions, problems)
    if "volume" not in by_role:
        frame = frame.with_columns(pl.lit(0.0).alias("volume_price"))
    if "adjusted" in by_role:
        close = pl.col("close_price")
        factor = pl.when(close != 0).then(pl.col("adjusted_price") / close).otherwise(1.0)
        frame = frame.with_columns(pl.col(f"{name}_price") * factor for name in NUMBERS[:4])
    prices = [pl.col(f"{name}_price").alias(name) for name in NUMBERS[:5]]
    return frame.select("symbol", "close_time", *prices, pl.col("row").cast(pl.UInt32))


def _with_symbols(frame: pl.DataFrame, decisions: Decisions, problems: Problems) -> pl.DataFrame:
    if "symbol" not in decisions.columns.by_role:
        return frame.with_columns(pl.lit(decisions.symbol).alias("symbol"))
    column = frame[str(decisions.columns.by_role["symbol"])].cast(pl.String)
    read = {cell: decisions.symbols.symbol(cell or "") for cell in column.unique(maintain_order=True)}
    values = {cell: symbol for cell, symbol in read.items() if isinstance(symbol, str)}
    symbols = column.replace_strict(list(values), list(values.values()), default=None, return_dtype=pl.String)
    wrong = {cell: problem for cell, problem in read.items() if isinstance(problem, RowProblem)}
    return _without(frame.with_columns(symbols.alias("symbol")), "symbol", column, wrong, problems)


def _with_number(frame: pl.DataFrame, role: str, decisions: Decisions, problems: Problems) -> pl.DataFrame:
    column = frame[str(decisions.columns.by_role[role])]
    plain = frame[f"plain {role}"] if f"plain {role}" in frame.columns else None
    floats = numbers(column, role, decisions, plain)
    frame = frame.with_columns(floats.alias(f"{role}_price"))
    if not floats.null_count():
        return frame
    cells = column.cast(pl.String)
    wrong = {
        cell: problem
        for cell in cells.filter(floats.is_null()).unique()
        if isinstance(problem := decisions.number(role, cell or ""), RowProblem)
    }
    return _without(frame, f"{role}_price", cells, wrong, problems)


def _without(
    frame: pl.DataFrame,
    name: str,
    cells: pl.Series,
    wrong: dict[str | None, RowProblem],
    problems: Problems,
) -> pl.DataFrame:
    """Return a frame without the rows that are null in a column; their problems, by cell, are noted."""
    if not wrong:
        return frame
    missing = frame[name].is_null()
    values: Sequence[tuple[int, str | None]] = list(
        zip(frame["row"].filter(missing), cells.filter(missing), strict=True)
    )
    for row, cell in values:
        problems.add(wrong[cell], row)
    return frame.filter(~missing)
