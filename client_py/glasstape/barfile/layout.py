"""Layout of a text file of bars, by its first lines: delimiter, titles and roles of the columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glasstape.barfile.errors import BarFileError
from glasstape.barfile.headerless import headerless_columns, is_number
from glasstape.barfile.lines import is_blank, split_line
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.titles import Columns, columns_of, is_title_line, normalized

DELIMITERS = (",", ";", "\t", "|")
PREAMBLE = 12
"""Lines among which the titles are looked for."""
SAMPLE = 40
"""Lines that a layout is found by."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the lines of a file hold bars."""

    delimiter: str
    first_line: int
    """Number of the first line of data, from 1."""
    columns: Columns
    title_line: str | None = None
    """Line of the titles; None: the file has none."""
    symbol: str = ""
    """Symbol that the title lines name."""
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of fields of a line."""
        return len(self.columns.titles)

    @property
    def is_metatrader(self) -> bool:
        """Whether titles are written as <OPEN>: such files have decimal points."""
        return any(title.strip().startswith("<") for title in self.columns.titles)


def find_layout(path: Path, lines: Sequence[str], options: BarFileOptions) -> Layout:
    """Return the layout of a file.

    Args:
        path: the file, for messages.
        lines: its first lines, without line ends, `SAMPLE` or fewer.
        options: may name columns.

    Raises:
        BarFileError: no titles are found and the cells do not show their roles.
    """
    where = str(path)
    filled = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not filled:
        raise BarFileError(f"{where}: there are no bars")
    stated = filled[0][1].strip().lower()
    if stated.startswith("sep="):
        filled = filled[1:]
    downloaded = _multi_level(where, filled, options)
    if downloaded is not None:
        return downloaded
    for number, line in filled[:PREAMBLE]:
        for delimiter in DELIMITERS:
            titles = _cells(line, delimiter)
            if _is_titles(titles, options):
                titles = _trimmed(titles)
                _check_above(where, filled, number, delimiter, len(titles))
                columns = columns_of(titles, options, where)
                columns = _with_real_volume(columns, filled, number, delimiter)
                notes = (f"titles are in line {number}",) if number != filled[0][0] else ()
                return Layout(delimiter, number + 1, columns, line, notes=notes)
    return _without_titles(where, filled, options)


def _check_above(
    where: str, filled: Sequence[tuple[int, str]], number: int, delimiter: str, width: int
) -> None:
    """Check that no rows of data stand above the titles.

    Raises:
        BarFileError: one does.
    """
    for line_number, line in filled:
        cells = _cells(line, delimiter)
        if line_number < number and len(cells) == width and sum(is_number(cell) for cell in cells) >= 4:
            raise BarFileError(
                f"{where}: line {line_number} holds a row above the titles of line {number}; move it below"
            )


def _is_titles(titles: Sequence[str], options: BarFileOptions) -> bool:
    named = {normalized(title) for title in options.columns.values()}
    return is_title_line(titles) or (bool(named) and named <= {normalized(title) for title in titles})


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return split_line(line, delimiter)
    except ValueError:
        return []


def _trimmed(titles: list[str]) -> list[str]:
    """Return titles without the empty ones at the end: of a delimiter that ends every line."""
    while len(titles) > 1 and not titles[-1].strip():
        titles = titles[:-1]
    return titles


def _multi_level(where: str, filled: Sequence[tuple[int, str]], options: BarFileOptions) -> Layout | None:
    """Return the layout of three title lines Price, Ticker and Date, as yfinance writes; None: there are none.

    Raises:
        BarFileError: they name several symbols.
    """
    if len(filled) < 3:
        return None
    for delimiter in DELIMITERS:
        first, second, third = (_cells(line, delimiter) for _, line in filled[:3])
        heads = [normalized(cells[0]) if cells else "" for cells in (first, second, third)]
        if heads[:2] != ["price", "ticker"] or heads[2] not in ("date", "datetime"):
            continue
        symbols = {cell.strip() for cell in second[1:]} - {""}
        if len(symbols) != 1:
            raise BarFileError(
                f"{where}: lines 1-3 are titles of several symbols side by side ({', '.join(sorted(symbols)[:5])}); "
                "save one file for each, or one table with a symbol column"
            )
        columns = columns_of([third[0], *first[1:]], options, where)
        symbol = symbols.pop()
        notes = ("lines 1-3 are titles",)
        return Layout(delimiter, filled[2][0] + 1, columns, filled[2][1], symbol, notes)
    return None


def _with_real_volume(
    columns: Columns, filled: Sequence[tuple[int, str]], number: int, delimiter: str
) -> Columns:
    """Return columns with <TICKVOL> as the volume where <VOL> is 0, as MetaTrader writes for currencies."""
    names = [normalized(title) for title in columns.titles]
    if "tickvol" not in names or "volume" not in columns.by_role:
        return columns
    position, ticks = columns.by_role["volume"], names.index("tickvol")
    rows = [_cells(line, delimiter) for at, line in filled if at > number]
    values = {row[position].strip() for row in rows if len(row) == len(names)}
    if position == ticks or not values <= {"0", "0.0", ""}:
        return columns
    return Columns(
        {**columns.by_role, "volume": ticks}, columns.titles, columns.stamp, columns.utc, columns.unclaimed
    )


def _without_titles(where: str, filled: Sequence[tuple[int, str]], options: BarFileOptions) -> Layout:
    for delimiter in DELIMITERS:
        rows = [_cells(line, delimiter) for _, line in filled if not is_blank(line, delimiter)]
        columns = headerless_columns(rows)
        if columns is not None:
            roles = ", ".join(f"{role} = {title}" for role, title in columns.roles.items())
            notes = (f"the file has no titles; its cells show {roles}",)
            return Layout(delimiter, filled[0][0], columns, notes=notes)
    number, line = filled[0]
    widths = {delimiter: len(_cells(line, delimiter)) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: widths[each])
    if any(character.isalpha() for character in line):
        columns_of(_trimmed(_cells(line, delimiter)), options, where)  # says what is missing
    raise BarFileError(
        f"{where}: line {number} holds no titles, and the cells do not show their roles; "
        "add a line of titles: symbol, date, open, high, low, close, volume"
    )
