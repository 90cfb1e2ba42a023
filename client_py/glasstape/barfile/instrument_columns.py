"""Descriptions of instruments in the columns of a bar file, beside the bars."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from glasstape.barfile.errors import BarFileError
from glasstape.barfile.titles import Columns
from glasstape.errors import InvalidRequestError
from glasstape.instruments import TITLES, columns_of, instruments_from_rows
from glasstape.types.market import Instrument

_SYMBOL = "\0symbol"
"""Title under which rows carry the symbol as it was read."""


def instrument_titles(columns: Columns) -> list[str]:
    """Return the titles of columns that describe instruments and are no part of the bars."""
    claimed = set(columns.by_role.values())
    free = [title for position, title in enumerate(columns.titles) if position not in claimed]
    found = columns_of(free, {field: names for field, names in TITLES.items() if field != "symbol"})
    return [title for titles in found.values() for title in titles]


def described(rows: Iterable[tuple[int, str, Mapping[str, str]]], path: Path, unit: str) -> list[Instrument]:
    """Return the instruments that rows of bars describe.

    Args:
        rows: number of a row, its symbol, and its cells by title of `instrument_titles`.
        path: the file, for messages.
        unit: what rows are counted in.

    Raises:
        BarFileError: a value breaks a rule.
    """
    numbers: list[int] = []

    def texts() -> Iterable[dict[str, str]]:
        for number, symbol, cells in rows:
            numbers.append(number)
            yield {_SYMBOL: symbol, **cells}

    titles: dict[str, Sequence[str]] = {**TITLES, "symbol": (_SYMBOL,)}
    try:
        return instruments_from_rows(texts(), titles, where=lambda row: f"{unit} {numbers[row - 1]}")
    except InvalidRequestError as error:
        raise BarFileError(f"{path}: {error}") from None
