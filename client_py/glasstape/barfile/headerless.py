"""Columns of files without titles, by what their first rows hold."""

from collections.abc import Callable, Sequence

from glasstape.barfile.number_cells import number_of
from glasstape.barfile.time_cells import clock_cell, time_cell, unit_of
from glasstape.barfile.titles import Columns

LEADING = 3
"""Columns among which symbol, date and time are looked for."""


def headerless_columns(rows: Sequence[Sequence[str]]) -> Columns | None:
    """Return the columns of a file without titles; None: its cells do not show them.

    Symbol, date and time come first; then open, high, low, close and volume, whose order the rows must prove.
    """
    width = len(rows[0]) if rows else 0
    if width < 6 or any(len(row) != width for row in rows):
        return None
    cells = list(zip(*rows, strict=True))
    time = next((at for at in range(min(LEADING, width)) if _all(cells[at], _is_time)), None)
    if time is None:
        return None
    by_role = {"time": time}
    first = time + 1
    if _all(cells[time], _is_date) and _all(cells[first], _is_clock):
        by_role = {"date": time, "clock": first}
        first += 1
    before = [at for at in range(first) if at not in by_role.values()]
    if before:  # a code may consist of digits
        by_role["symbol"] = before[0]
    while first < width and not _all(cells[first], is_number):
        by_role.setdefault("symbol", first)
        first += 1
    if first + 5 > width or not all(_all(cells[at], is_number) for at in range(first, first + 5)):
        return None
    numbers = [[_number(row[at]) for at in range(first, first + 4)] for row in rows]
    if any(
        not (low <= min(opened, close) and high >= max(opened, close)) for opened, high, low, close in numbers
    ):
        return None
    if _may_be_adjusted(cells, first):
        return None
    by_role.update(zip(("open", "high", "low", "close", "volume"), range(first, first + 5), strict=True))
    titles = tuple(f"column {at + 1}" for at in range(width))
    closed = first + 5
    if closed < width and _all(cells[time], _is_epoch) and _all(cells[closed], _is_epoch):
        # Exchanges' candles: open time, prices, volume, close time.
        return Columns({**by_role, "time": closed}, titles, "close")
    return Columns(by_role, titles)


def _may_be_adjusted(cells: Sequence[Sequence[str]], first: int) -> bool:
    """Return whether the column after the close may be an adjusted close, and the next one the volume."""
    at = first + 4
    if at + 1 >= len(cells) or not _all(cells[at + 1], is_number) or _all(cells[at + 1], _is_epoch):
        return False
    high = zip(cells[at], cells[first + 1], strict=True)
    return all(_number(volume) <= 1.1 * _number(top) for volume, top in high)


def _all(cells: Sequence[str], test: Callable[[str], bool]) -> bool:
    return all(test(cell) for cell in cells)


def _is_time(text: str) -> bool:
    try:
        cell = time_cell(text)
        return cell.date is not None or bool(unit_of(cell.epoch))
    except ValueError:
        return False


def _is_epoch(text: str) -> bool:
    try:
        return bool(unit_of(time_cell(text).epoch or "0"))
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    try:
        cell = time_cell(text)
    except ValueError:
        return False
    return cell.date is not None and cell.clock is None


def _is_clock(text: str) -> bool:
    try:
        clock_cell(text)
    except ValueError:
        return False
    return ":" in text or len(text.strip()) >= 4


def is_number(text: str) -> bool:
    """Return whether a cell holds a number, with either decimal sign."""
    try:
        return _number(text) == _number(text)
    except ValueError:
        return False


def _number(text: str) -> float:
    """Return a number with either decimal sign.

    Raises:
        ValueError: there is none.
    """
    try:
        number = number_of(text, ".", scaled=True)
    except ValueError:
        number = number_of(text, ",", scaled=True)
    if number is None:
        raise ValueError(text)
    return number
