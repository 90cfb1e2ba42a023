"""Symbols in cells: text, never numbers."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from glasstape.barfile.errors import BarFileError, RowProblem
from glasstape.barfile.number_cells import MISSING, number_of
from glasstape.barfile.time_cells import time_cell
from glasstape.barfile.titles import KNOWN, normalized
from glasstape.symbols import MAX_LENGTH, SYMBOL_RULE, case_twins, is_symbol, lost_zeros, reason_invalid

_NUMBER = re.compile(r"[0-9]+\.0+|[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{2,}")
"""Codes that a spreadsheet or data frame turned into numbers."""
_NONE = frozenset({"", "-", "--", "nan", "NaN", "null", "None", "none", "<NA>", "N/A", "n/a", "#N/A", "NaT"})
"""Cells that hold no symbol; NAN, NULL and NA are symbols somewhere."""


class SymbolRule:
    """Symbols of one file; answers are remembered."""

    def __init__(self, field: str, renames: Mapping[str, str]) -> None:
        self._field = field
        self._renames = renames
        self._known: dict[str, str | RowProblem] = {}
        self.stripped: dict[str, str] = {}
        """Symbols that had blanks around them, by cell."""

    def symbol(self, text: str) -> "str | RowProblem":
        """Return the symbol in a cell, without blanks around it and renamed."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._read(text)
        return known

    def notes(self) -> list[str]:
        """Return what was changed."""
        symbols = {symbol for symbol in self._known.values() if isinstance(symbol, str)}
        notes = [*case_twins(symbols), *lost_zeros(symbols)]
        if self.stripped:
            example = next(iter(self.stripped))
            notes.append(f"blanks around {len(self.stripped)} symbols were removed, for example {example!r}")
        return notes

    def _read(self, text: str) -> "str | RowProblem":
        name = text.strip()
        if name in _NONE:
            return RowProblem("missing", self._field, "must have a value", text)
        if _NUMBER.fullmatch(name) and name not in self._renames:
            rule = (
                "must be text: the code became a number and may have lost leading zeros "
                "(export it as text, or pass --rename FROM=TO)"
            )
            return RowProblem("symbol", self._field, rule, text)
        renamed = self._renames.get(name, name)
        if not is_symbol(renamed):
            return RowProblem(
                "symbol", self._field, f"{_rule(renamed)}; rename it with --rename FROM=TO", text
            )
        if name != text:
            self.stripped[text] = name
        return renamed


def check_symbol(symbol: str, source: str, where: str) -> None:
    """Check the symbol of a file without a column of symbols.

    Raises:
        BarFileError: it is none.
    """
    if reason := reason_invalid(symbol):
        raise BarFileError(f"{where}: the symbol from {source} {reason}; state it with --symbol")


def _rule(symbol: str) -> str:
    """Return the rule that a symbol breaks, and by which character."""
    wrong = next((character for character in symbol if not is_symbol(character)), "")
    if not wrong:
        return f"{SYMBOL_RULE}, has more than {MAX_LENGTH}"
    return f"{SYMBOL_RULE}, has {repr(wrong) if wrong.isascii() else 'others than ASCII'}"


def check_unclaimed(columns: Mapping[str, Sequence[str]], *, has_symbols: bool, where: str) -> list[str]:
    """Return notes about columns with unknown titles that hold text.

    Args:
        columns: cells of the first rows, by title.
        has_symbols: whether another column holds the symbols.
        where: the file, for messages.

    Raises:
        BarFileError: such a column repeats few values, as symbols do, and no column holds the symbols.
    """
    notes = []
    for title, cells in columns.items():
        values = {cell.strip() for cell in cells if cell.strip().lower() not in MISSING}
        if not values or (all(_is_value(value) for value in values) and not _are_codes(cells)):
            continue
        if not has_symbols and 1 < len(values) <= max(2, len(cells) // 2):
            shown = ", ".join(sorted(values)[:4])
            raise BarFileError(
                f"{where}: is {title!r} ({shown}) the symbol? Set --column symbol={title}, or --ignore-column {title}"
            )
        if normalized(title) in KNOWN:
            continue
        example = sorted(values)[0]
        notes.append(f"column {title!r} (for example {example[:20]!r}) is not used")
    return notes


def _are_codes(cells: Sequence[str]) -> bool:
    """Return whether numbers look like codes of instruments: of three digits or more, constant over runs of rows."""
    if not all(cell.strip().isdigit() and len(cell.strip()) >= 3 for cell in cells):
        return False
    changes = sum(before != after for before, after in pairwise(cells))
    return 0 < changes < len(cells) // 2 + 1 and len(set(cells)) <= max(2, len(cells) // 2)


def _is_value(text: str) -> bool:
    """Return whether a cell is a number or a time."""
    for read in (lambda cell: number_of(cell.rstrip("%"), ".", scaled=True), time_cell):
        try:
            read(text)
        except ValueError:
            continue
        return True
    return False
