"""Rows of text files as frames of text cells, block by block, so that memory stays bounded."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from glasstape.barfile.content import ends_with_newline, opened, text_blocks, text_format
from glasstape.barfile.errors import BarFileError, Problems, RowProblem
from glasstape.barfile.layout import SAMPLE, find_layout
from glasstape.barfile.lines import BLANKS, LineRule
from glasstape.barfile.options import BarFileOptions

BLOCK = 1 << 24
"""Characters of a block, about."""


class TextRows:
    """Rows of one text file of bars."""

    unit = "line"

    def __init__(self, path: Path, options: BarFileOptions) -> None:
        """Find the layout of a file.

        Raises:
            BarFileError: unreadable, no text, or its titles are not understood.
        """
        self.path = path
        self._form = text_format(path)
        with opened(path, self._form) as file:
            self.layout = find_layout(path, [line.rstrip("\n") for line in islice(file, SAMPLE)], options)
        self.columns = self.layout.columns
        self.stated: dict[str, Any] = {
            "delimiter": self.layout.delimiter,
            "decimal": "." if self.layout.is_metatrader else "",
            "symbol": self.layout.symbol,
        }
        """What the layout states, as keywords of `Decisions.make`."""
        self.notes = list(self.layout.notes)
        if not ends_with_newline(path, self._form):
            self.notes.append("the file does not end with a line's end: its last row may be cut")

    def frames(self, problems: Problems | None = None, skip: int = 0) -> Iterator[pl.DataFrame]:
        """Yield blocks of rows.

        Args:
            problems: takes the lines that have another number of fields than the titles.
            skip: number of first blocks that are not needed.

        Returns:
            Columns `row` (line, from 1) and one of text for each column of the file, named by its position.

        Raises:
            BarFileError: reading failed.
        """
        problems = Problems() if problems is None else problems
        first = 1
        for number, block in enumerate(text_blocks(self.path, self._form, BLOCK)):
            if number < skip:
                first += block.count("\n" if isinstance(block, str) else b"\n")  # type: ignore[arg-type]
                continue
            lines = _lines(block, self.path)
            yield self._cells(pl.DataFrame({"text": lines}).with_row_index("row", offset=first), problems)
            first += len(lines)

    def _cells(self, lines: pl.DataFrame, problems: Problems) -> pl.DataFrame:
        layout, text = self.layout, pl.col("text")
        rule = LineRule(layout.delimiter, layout.width)
        filled = (text.str.strip_chars(BLANKS + layout.delimiter) != "") & (text != (layout.title_line or ""))
        rows = lines.select(((pl.col("row") >= layout.first_line) & filled).alias("rows"))["rows"]
        if not rows.all():
            lines = lines.filter(rows)
        plain = ~text.str.contains('"', literal=True) & (
            text.str.count_matches(layout.delimiter, literal=True) == layout.width - 1
        )
        chosen = lines.select(plain.alias("plain"))["plain"]
        some = lines if chosen.all() else lines.filter(chosen)
        cells = some.with_columns(text.str.split_exact(layout.delimiter, layout.width - 1)).unnest("text")
        cells = cells.rename({f"field_{at}": str(at) for at in range(layout.width)})
        if chosen.all():
            return cells
        return pl.concat([cells, self._others(lines.filter(~chosen), rule, problems)]).sort("row")

    def _others(self, lines: pl.DataFrame, rule: LineRule, problems: Problems) -> pl.DataFrame:
        """Return the rows of lines with quoted cells or another number of fields."""
        rows: list[tuple[int, list[str]]] = []
        for number, line in lines.iter_rows():
            cells = rule.cells(line)
            if isinstance(cells, RowProblem):
                problems.add(cells, number)
            else:
                rows.append((number, cells))
        columns = zip(*(cells for _, cells in rows), strict=True) if rows else [()] * self.layout.width
        return pl.DataFrame(
            {
                "row": pl.Series([number for number, _ in rows], dtype=pl.get_index_type()),
                **{str(at): pl.Series(column, dtype=pl.String) for at, column in enumerate(columns)},
            }
        )


def _lines(block: str | bytes, path: Path) -> pl.Series:
    """Return the lines of a block, without line ends.

    Raises:
        BarFileError: bytes are not UTF-8.
    """
    try:
        lines = pl.Series("text", [block]).cast(pl.String).str.split("\n").explode()
    except pl.exceptions.PolarsError:
        raise BarFileError(f"{path}: is not utf-8 throughout; save it as UTF-8") from None
    # What follows the last line end is no line.
    return lines.head(-1) if block[-1:] in ("\n", b"\n") else lines
