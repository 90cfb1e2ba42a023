"""Numbers of whole columns: plain and grouped ones are cast, the rest is read by `glasstape.barfile.number_cells`."""

import polars as pl
from glasstape.barfile.errors import RowProblem
from glasstape.barfile.number_cells import EITHER, GROUPED, PLAIN, PROOF, Decimal, DecimalEvidence, bare
from glasstape.barfile.reading import Decisions

_MARKS = {".": r"[, \x{a0}\x{202f}\x{2009}'’]", ",": r"[. \x{a0}\x{202f}\x{2009}'’]"}
_CURRENCY = r"[$€£¥₩₹원]"


def see_decimals(
    rows: pl.Series, column: pl.Series, evidence: DecimalEvidence, proved: frozenset[str]
) -> pl.Series | None:
    """Note in `evidence` which decimal signs a column shows.

    Args:
        rows: numbers of the rows.
        column: of numbers.
        evidence: takes the first rows that show a sign.
        proved: signs that rows before these proved.

    Returns:
        The numbers with a decimal point if all cells are plain ones.
    """
    if column.dtype != pl.String:
        return None
    floats = column.cast(pl.Float64, strict=False)
    plain = floats.null_count() == column.null_count()
    if plain and proved == {"."}:
        return floats  # neither a comma nor two points
    cells = pl.DataFrame({"row": rows, "cell": column if plain else _bare(column)})
    # Only a comma, or two points, can prove the comma.
    commas = cells["cell"].str.contains(r",|\.[0-9]+\.").fill_null(False)
    for sign, chosen in ((".", None), (",", commas)):
        some = cells if chosen is None else cells.filter(chosen)
        if sign not in proved:
            for row, cell in some.filter(pl.col("cell").str.contains(PROOF[sign])).head(1).iter_rows():
                evidence.note(evidence.proof, sign, row, cell)
        if not proved:
            for row, cell in some.filter(pl.col("cell").str.contains(EITHER[sign])).head(1).iter_rows():
                evidence.note(evidence.either, sign, row, cell)
    return floats if plain else None


def numbers(column: pl.Series, role: str, decisions: Decisions, plain: pl.Series | None = None) -> pl.Series:
    """Return the numbers of a column; null where `Decisions.number` has a problem.

    Args:
        column: of numbers, or of text.
        role: of the column.
        decisions: how the file is read.
        plain: what `see_decimals` returned; None: nothing.
    """
    if column.dtype != pl.String:
        return column.cast(pl.Float64, strict=False).fill_nan(None)
    floats = _cast(column, decisions.decimal, plain)
    left = floats.is_null()
    if not left.any():
        return floats
    read = {cell: decisions.number(role, cell or "") for cell in column.filter(left).unique()}
    values = {cell: number for cell, number in read.items() if not isinstance(number, RowProblem)}
    if not values:
        return floats
    others = column.replace_strict(list(values), list(values.values()), default=None, return_dtype=pl.Float64)
    return pl.select(pl.coalesce(floats, others))[:, 0]


def _cast(column: pl.Series, decimal: Decimal, plain: pl.Series | None) -> pl.Series:
    """Return the plain and the grouped numbers of a column; null for others."""
    if decimal == ".":
        floats = column.cast(pl.Float64, strict=False) if plain is None else plain
    else:
        point = column.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
        floats = _where(column.str.contains(PLAIN[","]), point)
    floats = _where(floats.is_finite(), floats)
    grouped = floats.is_null() & column.str.contains(GROUPED[decimal])
    if not grouped.any():
        return floats
    digits = column.str.replace_all(_MARKS[decimal], "")
    if decimal == ",":
        digits = digits.str.replace(",", ".", literal=True)
    read = _where(grouped, digits.cast(pl.Float64, strict=False))
    return pl.select(pl.coalesce(floats, read))[:, 0]


def _where(mask: pl.Series, values: pl.Series) -> pl.Series:
    return pl.select(pl.when(mask).then(values))[:, 0]


def _bare(column: pl.Series) -> pl.Series:
    stripped = column.str.strip_chars()
    marked = stripped.str.contains(_CURRENCY).fill_null(False)
    if not marked.any():
        return stripped
    cells = stripped.filter(marked).unique()
    return stripped.replace(cells, pl.Series([bare(cell) for cell in cells], dtype=pl.String))
