"""Bars of a text file, with the standard library only.

from pathlib import Path
from glasstape.barfile import BarFileOptions, clock_of, read_bar_file

file = read_bar_file(
    Path("aapl.csv"), "1d", BarFileOptions(time_zone="America/New_York", close=clock_of("16:00"))
)
print(*file.notes, sep="\\n")
client.publish_bars(file.bars)
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from glasstape.barfile.content import ends_with_newline, opened, text_format
from glasstape.barfile.errors import BarFileError, Problems, RowProblem
from glasstape.barfile.instrument_columns import described, instrument_titles
from glasstape.barfile.layout import SAMPLE, Layout, find_layout
from glasstape.barfile.lines import LineRule, is_blank
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.reading import (
    NUMBERS,
    UNCLAIMED_ROWS,
    Decisions,
    Evidence,
    check_interval,
    describe,
    joined,
)
from glasstape.barfile.time_cells import TimeCell, time_cell
from glasstape.types.market import Bar, Instrument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BarFile:
    """Bars of one file, in its order, and how it was understood."""

    bars: list[Bar]
    lines: list[int]
    """Line of each bar."""
    notes: list[str]
    """What a user should know, one sentence each."""
    instruments: list[Instrument] = field(default_factory=list)
    """What the file's columns state about instruments."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that hold no bar and are left out, by kind."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]


def read_bar_file(path: Path, interval: str, options: BarFileOptions | None = None) -> BarFile:
    """Return the bars of a text file.

    The file may be compressed with gzip, in UTF-8, UTF-16 or CP949, and delimited by commas, semicolons, tabs or bars.

    Args:
        path: the file.
        interval: of the bars, a key of `INTERVALS`.
        options: what the file does not state itself.

    Raises:
        BarFileError: not a file of bars, something is neither proved nor stated, or rows cannot be read; the text
            names file, line, rule and value, and the option that answers.
    """
    options = options or BarFileOptions()
    check_interval(interval)
    form = text_format(path)
    with opened(path, form) as file:
        layout = find_layout(path, [line.rstrip("\n") for line in islice(file, SAMPLE)], options)
    problems = Problems()
    notes = [describe(path, layout.columns), *layout.notes]
    if not ends_with_newline(path, form):
        notes.append("the file does not end with a line's end: its last row may be cut")
    with opened(path, form) as file:
        rows = list(_rows(file, layout, problems))
    if not rows and not problems.groups:
        raise BarFileError(f"{path}: there are no bars")
    decisions = Decisions.make(
        path,
        layout.columns,
        _evidence(rows, layout),
        options,
        interval,
        delimiter=layout.delimiter,
        decimal="." if layout.is_metatrader else "",
        symbol=layout.symbol,
    )
    reader = _RowReader(decisions, interval)
    bars, lines = [], []
    for row in rows:
        bar = reader.bar(row)
        if isinstance(bar, RowProblem):
            problems.add(bar, row.line)
        else:
            bars.append(bar)
            decisions.distances.see(bar.symbol, [_micros(bar.close_time)])
            lines.append(row.line)
    notes += problems.check(path, options.accepted)
    if not bars:
        raise BarFileError(f"{path}: there are no bars")
    closes = [bar.close_time for bar in bars]
    notes += decisions.finish(_micros(min(closes)), _micros(max(closes)))
    instruments = _instruments(path, layout, rows, dict(zip(lines, bars, strict=True)))
    return BarFile(bars, lines, notes, instruments, problems.counts)


def _instruments(path: Path, layout: Layout, rows: list[_Row], bars: dict[int, Bar]) -> list[Instrument]:
    titles = layout.columns.titles
    wanted = {title: titles.index(title) for title in instrument_titles(layout.columns)}
    if not wanted:
        return []
    cells = (
        (row.line, bars[row.line].symbol, {title: row.cells[position] for title, position in wanted.items()})
        for row in rows
        if row.line in bars
    )
    return described(cells, path, "line")


def _rows(file: Iterator[str], layout: Layout, problems: Problems) -> Iterator[_Row]:
    rule = LineRule(layout.delimiter, layout.width)
    for number, line in enumerate(file, start=1):
        line = line.rstrip("\n")
        if number < layout.first_line or is_blank(line, layout.delimiter) or line == layout.title_line:
            continue
        cells = rule.cells(line)
        if isinstance(cells, RowProblem):
            problems.add(cells, number)
        else:
            yield _Row(number, cells)


def _evidence(rows: list[_Row], layout: Layout) -> Evidence:
    evidence, columns = Evidence(), layout.columns
    numbers = [columns.by_role[role] for role in NUMBERS if role in columns.by_role]
    for row in rows:
        for position in numbers:
            evidence.decimal.see(row.cells[position], row.line)
        text = _time_text(row.cells, columns.by_role)
        try:
            cell = _time_cell(row.cells, columns.by_role)
        except ValueError:
            continue
        evidence.time.see(cell, row.line, text)
    for position in columns.unclaimed:
        cells = [row.cells[position] for row in rows[:UNCLAIMED_ROWS]]
        evidence.unclaimed[columns.titles[position]] = cells
    return evidence


def _time_cell(cells: list[str], by_role: dict[str, int]) -> TimeCell:
    if "time" in by_role:
        return time_cell(cells[by_role["time"]])
    return joined(cells[by_role["date"]], cells[by_role["clock"]])


def _time_text(cells: list[str], by_role: dict[str, int]) -> str:
    if "time" in by_role:
        return cells[by_role["time"]].strip()
    return f"{cells[by_role['date']].strip()} {cells[by_role['clock']].strip()}"


class _RowReader:
    """Reads rows, in the file's order."""

    def __init__(self, decisions: Decisions, interval: str) -> None:
        self._decisions = decisions
        self._interval = interval
        self._by_role = decisions.columns.by_role

    def bar(self, row: _Row) -> "Bar | RowProblem":
        """Return the bar of a row."""
        decisions, by_role = self._decisions, self._by_role
        symbol: str | RowProblem = decisions.symbol
        if "symbol" in by_role:
            symbol = decisions.symbols.symbol(row.cells[by_role["symbol"]])
        if isinstance(symbol, RowProblem):
            return symbol
        close_time = self._close(row, symbol)
        if isinstance(close_time, RowProblem):
            return close_time
        numbers: dict[str, float] = {}
        for role in NUMBERS:
            if role in by_role:
                number = decisions.number(role, row.cells[by_role[role]])
                if isinstance(number, RowProblem):
                    return number
                numbers[role] = number
        factor = 1.0
        if "adjusted" in numbers and numbers["close"]:
            factor = numbers["adjusted"] / numbers["close"]
        return Bar(
            symbol=symbol,
            interval=self._interval,
            close_time=_EPOCH + timedelta(microseconds=close_time),
            open=numbers["open"] * factor,
            high=numbers["high"] * factor,
            low=numbers["low"] * factor,
            close=numbers["close"] * factor,
            volume=numbers.get("volume", 0.0),
        )

    def _close(self, row: _Row, symbol: str) -> "int | RowProblem":
        closes, text = self._decisions.closes, _time_text(row.cells, self._by_role)
        try:
            cell = _time_cell(row.cells, self._by_role)
            moment = closes.moment(cell)
        except ValueError:
            return closes.unreadable(text, str(self._decisions.path), row.line)
        self._decisions.check_close(moment, row.line, text)
        close = closes.close(moment, symbol, text)
        if isinstance(close, int):
            self._decisions.see_moment(symbol, moment)
        return close


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
