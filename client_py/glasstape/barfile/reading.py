"""Reading of one file: evidence from its cells first, then the decisions by which every row is read.

The reader of the standard library (`reader`) and the one of whole columns share everything in here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from glasstape.barfile.closes import MONDAY_SHIFT, Closes, Moment
from glasstape.barfile.content import symbol_of
from glasstape.barfile.errors import BarFileError, RowProblem
from glasstape.barfile.interval_check import Distances
from glasstape.barfile.number_cells import Decimal, DecimalEvidence, number_of
from glasstape.barfile.options import BarFileOptions
from glasstape.barfile.stamp_check import StampEvidence
from glasstape.barfile.symbol_cells import SymbolRule, check_symbol, check_unclaimed
from glasstape.barfile.time_cells import DAY, TimeCell, clock_cell, time_cell
from glasstape.barfile.time_rule import TimeEvidence, close_question, decide
from glasstape.barfile.titles import Columns, normalized
from glasstape.intervals import INTERVALS

NUMBERS = ("open", "high", "low", "close", "volume", "adjusted")
OPENING_SHARE = 0.25
"""Share of weekly bars dated on Mondays or Sundays from which on they are dated on their opens."""
UNCLAIMED_ROWS = 10_000
"""Rows in which columns with unknown titles are looked at."""
_EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


@dataclass(slots=True)
class Evidence:
    """What the cells of a file show before they are read."""

    decimal: DecimalEvidence = field(default_factory=DecimalEvidence)
    time: TimeEvidence = field(default_factory=TimeEvidence)
    unclaimed: dict[str, list[str]] = field(default_factory=dict)
    """Cells of the first rows, by unknown title."""


@dataclass(slots=True)
class Decisions:
    """How the rows of a file are read."""

    path: Path
    columns: Columns
    decimal: Decimal
    closes: Closes
    symbols: SymbolRule
    symbol: str
    """Symbol of every row; empty: each row has its own."""
    no_volume: bool = False
    """Whether 0 is taken where a row has no volume."""
    stamps: StampEvidence = field(default_factory=StampEvidence)
    distances: Distances = field(default_factory=Distances)
    weekdays: Counter[int] = field(default_factory=Counter)
    """Of weekly bars, 0 for Monday."""
    dated: bool = False
    """Whether a row is a date."""
    notes: list[str] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        path: Path,
        columns: Columns,
        evidence: Evidence,
        options: BarFileOptions,
        interval: str,
        *,
        delimiter: str = ",",
        decimal: str = "",
        symbol: str = "",
        zone: str = "",
    ) -> "Decisions":
        """Decide by evidence and options.

        Args:
            path: the file.
            columns: roles of its columns.
            evidence: what its cells show.
            options: what the user states.
            interval: of the bars.
            delimiter: of the cells.
            decimal: sign that the layout states; empty: none.
            symbol: that title lines state; empty: none.
            zone: that the file states; empty: none.

        Raises:
            BarFileError: something is neither proved nor stated.
        """
        where = str(path)
        has_symbols = "symbol" in columns.by_role
        notes = options.notes()
        notes += check_unclaimed(evidence.unclaimed, has_symbols=has_symbols or bool(symbol), where=where)
        if columns.utc:
            if options.time_zone not in ("", "UTC", "GMT", "Etc/UTC"):
                raise BarFileError(
                    f"{where}: --time-zone {options.time_zone}: the title of the times states UTC; leave it out"
                )
            zone = "UTC"
        rule = decide(evidence.time, options, interval, where, stamp=columns.stamp, zone=zone)
        sign = evidence.decimal.decide(options.decimal or decimal, delimiter, where)
        if sign == ",":
            notes.append("the decimal sign is the comma")
        if "adjusted" in columns.by_role:
            notes.append(
                f"prices are multiplied by {columns.roles['adjusted']!r} / {columns.roles['close']!r}"
            )
        if has_symbols and options.symbol:
            raise BarFileError(
                f"{where}: --symbol {options.symbol}: the column {columns.roles['symbol']!r} holds the symbols; "
                "use --rename FROM=TO, or --ignore-column for it"
            )
        if has_symbols:
            symbol = ""
        else:
            source = "the title lines" if symbol else "the file name"
            named = options.symbol or symbol or symbol_of(path)
            symbol = options.renames.get(named, named)
            check_symbol(symbol, "--symbol" if options.symbol else source, where)
            if not options.symbol:
                notes.append(f"the symbol is {symbol}, from {source}")
        closes = Closes(rule, field_of("time", columns), ascending=_ascending(evidence.time, rule.order))
        symbols = SymbolRule(field_of("symbol", columns), options.renames)
        return cls(
            path, columns, sign, closes, symbols, symbol, options.no_volume, notes=[*notes, *rule.notes]
        )

    def time_cell(self, text: str) -> Moment:
        """Return a time, settled.

        Raises:
            ValueError: the cell is no time.
        """
        return self.closes.moment(time_cell(text))

    def number(self, role: str, text: str) -> "float | RowProblem":
        """Return the number in a cell."""
        try:
            number = number_of(text, self.decimal, scaled=role == "volume")
        except ValueError:
            return RowProblem("number", field_of(role, self.columns), "must be a number", text)
        if number is None and role == "volume" and self.no_volume:
            return 0.0
        if number is None:
            return RowProblem("missing", field_of(role, self.columns), "must have a value", text)
        return number

    def see_moment(self, symbol: str, moment: Moment) -> None:
        """Note what the times of all rows show together."""
        rule = self.closes.rule
        self.dated = self.dated or moment.clock is None
        if rule.stamp:
            return
        day, clock = divmod(self.closes.shown(moment), DAY)
        if rule.interval == "1w":
            self.weekdays[(day + MONDAY_SHIFT) % 7] += 1
        if moment.clock is not None:
            self.stamps.see_day(symbol, day, clock, clock)

    def check_close(self, moment: Moment, line: int, text: str) -> None:
        """Check that dates have a closing time.

        Raises:
            BarFileError: they have none.
        """
        if moment.clock is None and self.closes.rule.close is None:
            raise close_question(str(self.path), line, text)

    def finish(self, first: int, last: int) -> list[str]:
        """Check what only all closes together show; return the notes about the file.

        Args:
            first: earliest close, in microseconds.
            last: latest close.

        Raises:
            BarFileError: times look like those of opens, or bars like those of another interval.
        """
        rule = self.closes.rule
        notes = [*self.notes, *self.symbols.notes(), *self.stamps.check(rule, str(self.path))]
        self.distances.check(rule.interval, str(self.path))
        opening = self.weekdays[0] + self.weekdays[6]
        if rule.interval == "1w" and not rule.stamp and opening >= OPENING_SHARE * self.weekdays.total() > 0:
            raise BarFileError(
                f"{self.path}: {opening} of {self.weekdays.total()} weekly bars are dated on Mondays or Sundays, on "
                "which weeks open: "
                "set --stamp open, or --stamp close if bars close on them"
            )
        if rule.daily and rule.close is not None and not self.dated:
            notes.append("--close is not used: every row states a time")
        if self.closes.doubled.count:
            notes.append(
                f"{self.closes.doubled.count} times that clocks show twice were resolved by their order"
            )
        notes.append(f"closes from {self._shown(first)} to {self._shown(last)}")
        return notes

    def _shown(self, close: int) -> str:
        moment = _EPOCH + timedelta(microseconds=close)
        text = f"{moment:%Y-%m-%d %H:%M} UTC"
        zone = self.closes.rule.zone
        return (
            text
            if zone in ("", "UTC")
            else f"{text} ({moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone})"
        )


def field_of(role: str, columns: Columns) -> str:
    """Return how messages name a column: its role, and its title where that differs."""
    roles = columns.roles
    titles = (
        [roles[each] for each in ("date", "clock") if each in roles]
        if role == "time" and role not in roles
        else [roles.get(role, role)]
    )
    title = " + ".join(titles)
    return role if normalized(title) == role else f"{role} ({title.strip()})"


def joined(date_text: str, clock_text: str) -> TimeCell:
    """Return the time in a column of dates and one of times of day.

    Raises:
        ValueError: one of the cells is not.
    """
    date = joined_date(date_text)
    clock, offset = clock_cell(clock_text)
    return TimeCell(date.date, clock, offset if offset is not None else date.offset)


def joined_date(text: str) -> TimeCell:
    """Return a date that a column of times of day stands beside.

    Raises:
        ValueError: it is no date, or has a time itself.
    """
    date = time_cell(text)
    if date.date is None or date.clock:
        raise ValueError(text)
    return date


def check_interval(interval: str) -> None:
    """Check a bar interval.

    Raises:
        BarFileError: there is none of that name.
    """
    if interval not in INTERVALS:
        raise BarFileError(f"--interval: must be one of {' '.join(INTERVALS)}, is {interval!r}")


def describe(path: Path, columns: Columns) -> str:
    """Return one line about the roles of columns."""
    return f"{path}: " + ", ".join(f"{role} = {title.strip()}" for role, title in columns.roles.items())


def _ascending(evidence: TimeEvidence, order: str) -> bool:
    """Return whether the first time of a file is not after its last."""

    def key(cell: TimeCell) -> tuple[float, ...]:
        if cell.date is None:
            return (float(cell.epoch),)
        day = cell.date
        parts: Sequence[int] = day[1:3] if day.ordered or order != "dmy" else (day.second, day.first)
        return (day.year, *parts, cell.clock or 0)

    if evidence.first is None or evidence.last is None:
        return True
    return key(evidence.first) <= key(evidence.last)
