"""Lines of a delimited text file: cells, blank lines, and lines with another number of fields."""

import csv
from dataclasses import dataclass

from glasstape.barfile.errors import RowProblem

BLANKS = ' \t\r\x0b\x0c"\u00a0\u3000'
"""Characters of a line without values, besides the delimiter."""
MARGIN = 60
"""Characters of a line that a message shows."""


def split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line.

    Raises:
        ValueError: a quoted cell does not end on the line.
    """
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error:
        raise ValueError(line) from None


def is_blank(line: str, delimiter: str) -> bool:
    """Return whether a line has no cell with a value."""
    return not line.strip(BLANKS + delimiter)


@dataclass(frozen=True, slots=True)
class LineRule:
    """Number of fields that the lines of a file have."""

    delimiter: str
    width: int

    def cells(self, line: str) -> "list[str] | RowProblem":
        """Return the cells of a line, as many as there are titles; surplus empty ones are dropped."""
        try:
            cells = split_line(line, self.delimiter)
        except ValueError:
            return RowProblem("fields", "line", "must close its quoted cells", line[:MARGIN])
        if len(cells) == self.width:
            return cells
        if len(cells) > self.width and not any(cell.strip() for cell in cells[self.width :]):
            return cells[: self.width]
        return self.wrong(line, len(cells))

    def wrong(self, line: str, count: int) -> RowProblem:
        """Return the problem of a line with another number of fields."""
        rule = f"must have {self.width} fields as the titles, has {count}"
        return RowProblem("fields", "line", rule, line[:MARGIN])
