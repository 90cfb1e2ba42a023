"""What the times of a file mean: proved by its cells, stated by options, or asked for."""

from dataclasses import dataclass, field
from typing import Literal

from glasstape.barfile.errors import BarFileError
from glasstape.barfile.options import BarFileOptions, zone_of
from glasstape.barfile.time_cells import DateCell, TimeCell, epoch_parts, unit_of
from glasstape.intervals import INTERVALS

Sighting = tuple[int, str]
"""Line and cell."""
_DAY_S = 86_400
_CALENDAR = ("date", "midnight naive", "midnight offset", "time naive", "time offset", "time utc")
"""Kinds of sightings that are no numbers since 1970."""
_DAY_QUESTION = (
    "bars of a day or longer have times in UTC, which do not show the day of the exchange, set --time-zone, "
    "or --stamp close if they are closes"
)
_ORDER_QUESTION = (
    "no date of the file shows whether the day or the month comes first, "
    "set --date-order dmy or --date-order mdy"
)
_ZONE_QUESTION = "it states no time zone, set --time-zone (for example America/New_York)"
_CLOSE_QUESTION = (
    "it is a date, set the local time at which its bar closes with --close HH:MM "
    "(for example 16:00; 24:00 for markets that close at midnight)"
)


@dataclass(slots=True)
class TimeEvidence:
    """First sightings of every kind of cell in a column of times."""

    sightings: dict[str, Sighting] = field(default_factory=dict)
    """By kind: dates, times and midnights with and without (`naive`) an offset, orders of day and month, units."""
    first: TimeCell | None = None
    last: TimeCell | None = None

    def see(self, cell: TimeCell, line: int, text: str) -> None:
        """Note one cell; cells are passed in the file's order."""
        if cell.epoch:
            self.see_epoch(cell.epoch, line)
        elif cell.date is not None:
            self.see_date(cell.date, line, text)
            self.see_clock(cell.clock, cell.offset, line, text)
        self.see_end(cell)

    def see_end(self, cell: TimeCell) -> None:
        """Note the newest cell in the file's order."""
        self.first = self.first or cell
        self.last = cell

    def see_epoch(self, number: str, line: int) -> None:
        """Note a number since 1970."""
        try:
            unit = unit_of(number)
        except ValueError:
            self.note("epoch ?", line, number)
            return
        self.note(f"epoch {unit}", line, number)
        self.note("time epoch" if epoch_parts(number, unit)[1] else "midnight epoch", line, number)

    def see_date(self, date: DateCell, line: int, text: str) -> None:
        """Note a date."""
        if date.ordered:
            return
        self.note("unordered", line, text)
        if date.first > 12 >= date.second:
            self.note("dmy", line, text)
        elif date.second > 12 >= date.first:
            self.note("mdy", line, text)

    def see_clock(self, clock: int | None, offset: int | None, line: int, text: str) -> None:
        """Note what follows a date."""
        if clock is None:
            self.note("date", line, text)
            return
        if clock == 0:
            self.note("midnight naive" if offset is None else "midnight offset", line, text)
        else:
            kind = "naive" if offset is None else "utc" if offset == 0 else "offset"
            self.note(f"time {kind}", line, text)

    def note(self, kind: str, line: int, text: str) -> None:
        """Keep a sighting if its line is the first of its kind."""
        if kind not in self.sightings or line < self.sightings[kind][0]:
            self.sightings[kind] = (line, text)

    def any(self, *kinds: str) -> Sighting | None:
        """Return the first sighting of some kinds."""
        return min((self.sightings[kind] for kind in kinds if kind in self.sightings), default=None)

    @property
    def units(self) -> dict[str, Sighting]:
        """First numbers since 1970, by unit."""
        return {kind[6:]: seen for kind, seen in self.sightings.items() if kind.startswith("epoch ")}


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How a cell becomes the close of a bar."""

    interval: str
    order: Literal["", "mdy", "dmy"]
    unit: str
    unit_stated: bool
    zone: str
    """IANA zone; empty: every row has its own offset."""
    close: int | None
    stamp: Literal["", "open", "close"]
    midnights: frozenset[str]
    """Which times at midnight are dates: `naive`, `offset`."""
    night_start: int | None
    notes: tuple[str, ...] = ()

    @property
    def daily(self) -> bool:
        """Whether bars are a day long or longer."""
        return INTERVALS[self.interval].total_seconds() >= _DAY_S


def decide(
    evidence: TimeEvidence,
    options: BarFileOptions,
    interval: str,
    where: str,
    *,
    stamp: Literal["", "open", "close"] = "",
    zone: str = "",
) -> TimeRule:
    """Return the meaning of a file's times.

    Args:
        evidence: its cells.
        options: what the user states.
        interval: of the bars.
        where: the file, for messages.
        stamp: what the title of the times states.
        zone: that the file states; empty: none.

    Raises:
        BarFileError: a meaning is neither proved nor stated, or rows contradict each other; the text names lines
            and the option that answers.
    """
    daily = INTERVALS[interval].total_seconds() >= _DAY_S
    midnights = _midnights(options, stamp) if daily else frozenset[str]()
    notes: list[str] = []
    unit = _unit(evidence, options, where, notes)
    order = _order(evidence, options, where)
    if (dated := evidence.any("date")) is not None and not daily:
        raise BarFileError(
            f"{where}: line {dated[0]} has the date {dated[1]!r} without a time, but the bar interval is {interval}: "
            "set --interval 1d, or name the column of times with --column clock=TITLE"
        )
    dates = {"date", *(f"midnight {kind}" for kind in midnights)}
    _check_mix(evidence, dates, where, daily, notes)
    zone = options.time_zone or zone
    questions = _questions(evidence, dates, zone, options)
    in_utc = evidence.any("time utc", "time epoch")
    if daily and not zone and not (options.stamp or stamp) and in_utc is not None:
        questions.append((in_utc, _DAY_QUESTION))
    if questions:
        (line, text), _ = questions[0]
        asked = "; ".join(question for _, question in questions)
        raise BarFileError(f"{where}: line {line} has the time {text!r}: {asked}")
    if zone:
        zone_of(zone)
    chosen = options.stamp or stamp
    return TimeRule(
        interval,
        order,
        unit,
        bool(options.time_unit),
        zone,
        options.close,
        chosen,
        midnights,
        options.night_start,
        tuple(notes),
    )


def close_question(where: str, line: int, text: str) -> BarFileError:
    """Return the error that asks for the closing time of dates."""
    return BarFileError(f"{where}: line {line} has the time {text!r}: {_CLOSE_QUESTION}")


def _midnights(options: BarFileOptions, stamp: str) -> frozenset[str]:
    """Return which times at midnight are dates in bars of a day or longer.

    As a close, midnight would be before the bar's day. A title that says close_time is believed where the time
    carries its offset; what the user states, for all times.
    """
    if options.stamp == "close":
        return frozenset()
    return frozenset({"naive"} if stamp == "close" and not options.stamp else {"naive", "offset", "epoch"})


def _questions(
    evidence: TimeEvidence, dates: set[str], zone: str, options: BarFileOptions
) -> list[tuple[Sighting, str]]:
    """Return what the file leaves open, with the first cell that does."""
    questions = []
    unordered = evidence.any("unordered")
    if unordered is not None and not options.date_order and evidence.any("dmy", "mdy") is None:
        questions.append((unordered, _ORDER_QUESTION))
    naive = evidence.any("date", "midnight naive", "time naive")
    if naive is not None and not zone:
        questions.append((naive, _ZONE_QUESTION))
    dated = evidence.any(*dates)
    if dated is not None and options.close is None:
        questions.append((dated, _CLOSE_QUESTION))
    return questions


def _unit(evidence: TimeEvidence, options: BarFileOptions, where: str, notes: list[str]) -> str:
    units = {unit: seen for unit, seen in evidence.units.items() if unit != "?"}
    calendar = evidence.any(*_CALENDAR)
    if not evidence.units:
        return ""
    number = min(evidence.units.values())
    if calendar is not None:
        raise BarFileError(
            f"{where}: line {calendar[0]} has {calendar[1]!r}, line {number[0]} the number {number[1]}; "
            "all times must be written in one way"
        )
    if options.time_unit:
        return options.time_unit
    if len(units) > 1:
        (one, seen), (other, then) = sorted(units.items(), key=lambda item: item[1])[:2]
        raise BarFileError(
            f"{where}: the unit of the times changes from {one} (line {seen[0]}: {seen[1]}) to {other} "
            f"(line {then[0]}: {then[1]}); convert them to one unit"
        )
    if not units:
        raise BarFileError(
            f"{where}: line {number[0]} has the time {number[1]}: no unit of s, ms, us or ns puts it into 1990-2100; "
            "state it with --time-unit"
        )
    unit = next(iter(units))
    notes.append(f"times are {unit} since 1970 UTC, by their magnitude")
    return unit


def _order(evidence: TimeEvidence, options: BarFileOptions, where: str) -> Literal["", "mdy", "dmy"]:
    seen = evidence.any("unordered")
    if seen is None:
        return ""
    if options.date_order == "ymd":
        raise BarFileError(
            f"{where}: --date-order ymd: line {seen[0]} has {seen[1]!r}, which ends with its year"
        )
    if options.date_order:
        return options.date_order
    day_first, month_first = evidence.any("dmy"), evidence.any("mdy")
    if day_first is not None and month_first is not None:
        raise BarFileError(
            f"{where}: the order of day and month changes: line {day_first[0]} has {day_first[1]!r}, "
            f"line {month_first[0]} has {month_first[1]!r}"
        )
    if day_first is None and month_first is None:
        return ""
    return "dmy" if month_first is None else "mdy"


def _check_mix(evidence: TimeEvidence, dates: set[str], where: str, daily: bool, notes: list[str]) -> None:
    """Check that rows agree on what they state; note dates beside times.

    Raises:
        BarFileError: some times state an offset, and others do not.
    """
    naive = evidence.any(*({"time naive", "midnight naive"} - dates))
    offset = evidence.any(*({"time offset", "time utc", "midnight offset"} - dates))
    if naive is not None and offset is not None:
        raise BarFileError(
            f"{where}: line {naive[0]} has {naive[1]!r} without an offset from UTC, line {offset[0]} has "
            f"{offset[1]!r}; all times must state it, or none"
        )
    dated, timed = evidence.any(*dates), naive or offset
    if daily and dated is not None and timed is not None:
        notes.append(
            f"some rows are dates (line {dated[0]}: {dated[1]!r}), others state a time "
            f"(line {timed[0]}: {timed[1]!r}), which may be bars still forming"
        )
