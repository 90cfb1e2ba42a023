"""Closes of bars: cells of times, resolved by the rule of their file."""

from dataclasses import dataclass

from glasstape.barfile.errors import BarFileError, RowProblem
from glasstape.barfile.local_time import HOUR, DoubledHours, LocalZone
from glasstape.barfile.number_cells import MISSING
from glasstape.barfile.options import zone_of
from glasstape.barfile.time_cells import DAY, DateCell, TimeCell, days_of, epoch_parts, unit_of
from glasstape.barfile.time_rule import TimeRule
from glasstape.barfile.titles import KNOWN, normalized
from glasstape.intervals import INTERVALS

_MICROSECONDS = 1_000_000
MONDAY_SHIFT = 3
"""Weekday of 1970-01-01, 0 for Monday."""
FRIDAY = 4
NIGHT_END = 7 * 3600 * _MICROSECONDS
"""Local time at which night sessions have ended."""


def _kind(offset: int | None) -> str:
    return "naive" if offset is None else "offset"


@dataclass(frozen=True, slots=True)
class Moment:
    """A cell whose parts are settled: a date, or a time of a day."""

    day: int
    """Days since 1970, as written or in the zone of the file."""
    clock: int | None
    """Microseconds after midnight; None: a date."""
    offset: int | None
    """Offset from UTC, in microseconds; None: that of the zone."""

    @property
    def local(self) -> int:
        """Local time in microseconds since 1970; of a date its midnight."""
        return self.day * DAY + (self.clock or 0)


class Closes:
    """Resolves cells into closes, in microseconds UTC."""

    def __init__(self, rule: TimeRule, title: str, *, ascending: bool) -> None:
        """Prepare for the cells of one file.

        Args:
            rule: what they mean.
            title: of their column, for messages.
            ascending: whether the file's rows go forward in time.
        """
        self.rule = rule
        self.title = title
        self.zone = LocalZone(zone_of(rule.zone)) if rule.zone else None
        self.doubled = DoubledHours(ascending=ascending)
        self.length = INTERVALS[rule.interval].days * DAY + INTERVALS[rule.interval].seconds * _MICROSECONDS
        self.opens_week = rule.interval == "1w" and rule.stamp == "open"
        """Whether dates are those on which weeks open."""

    def moment(self, cell: TimeCell) -> Moment:
        """Return a cell with its parts settled.

        Raises:
            ValueError: no such day, or a number since 1970 of another unit.
        """
        if cell.date is None:
            return self.settled(*self.epoch(cell.epoch), 0)
        return self.settled(self.day(cell.date), cell.clock, cell.offset)

    def epoch(self, number: str) -> tuple[int, int]:
        """Return day and time of day of a number since 1970; the end of a day is 24:00.

        Raises:
            ValueError: the number is of another unit than the file's.
        """
        if not self.rule.unit_stated and unit_of(number) != self.rule.unit:
            raise ValueError(number)
        return epoch_parts(number, self.rule.unit)

    def day(self, date: DateCell) -> int:
        """Return days since 1970.

        Raises:
            ValueError: no such day.
        """
        month, day = (date.second, date.first) if not date.ordered and self.rule.order == "dmy" else date[1:3]
        return days_of(date.year, month, day)

    def settled(self, day: int, clock: int | None, offset: int | None) -> Moment:
        """Return the parts of a cell; a date has no clock.

        In bars of a day or longer, a time at midnight is a date: as a close it would be before the day.
        """
        midnights = self.rule.midnights
        if clock is None or clock == DAY or not midnights:
            return Moment(day, clock, offset)  # the end of a day is no date
        if clock == 0:
            return Moment(day, None if _kind(offset) in midnights else clock, offset)
        if offset is not None and self.zone is not None and "offset" in midnights:
            local_day, local_clock = divmod(self.zone.local(day * DAY + clock - offset), DAY)
            if local_clock == 0:
                return Moment(local_day, None, None)
        return Moment(day, clock, offset)

    def close(self, moment: Moment, symbol: str, text: str) -> "int | RowProblem":
        """Return the close of a bar, in microseconds UTC; rows are passed in the file's order."""
        local = self.local_close(moment)
        zone = self.zone
        if moment.offset is not None and (moment.clock is not None or zone is None):
            utc = local - moment.offset
        else:
            assert zone is not None
            offsets = zone.offsets(local)
            if offsets.skipped and moment.clock is not None:
                return self.skipped(text)
            changing = moment.clock is not None and zone.day_offset(local // DAY) is None
            utc = local - (self.doubled.offset(symbol, local, offsets) if changing else offsets.first)
        return utc + self.shift(moment)

    def local_close(self, moment: Moment) -> int:
        """Return the local time that becomes the close, before its zone and stamp count."""
        if moment.clock is None:
            return (moment.day + self.week_shift(moment.day)) * DAY + (self.rule.close or 0)
        return moment.local - self.night_shift(moment.day, moment.clock) * DAY

    def week_shift(self, day: int) -> int:
        """Return the days from the date of a week to the day on which it closes.

        The Friday of its week, of the next week for a Saturday or Sunday; six days later in markets that close at
        midnight, which trade on weekends.
        """
        if not self.opens_week:
            return 0
        return 6 if self.rule.close == DAY else (FRIDAY - (day + MONDAY_SHIFT)) % 7

    def night_shift(self, day: int, clock: int) -> int:
        """Return the days by which a row of a night session is before the trading day that dates it.

        The night session of a Monday is that of the Friday evening and Saturday morning before.
        """
        night = self.rule.night_start
        if night is None:
            return 0
        monday = (day + MONDAY_SHIFT) % 7 == 0
        if clock >= night:
            return 3 if monday else 1
        return 2 if monday and clock < NIGHT_END else 0

    def shown(self, moment: Moment) -> int:
        """Return a time in the file's zone, or as written where there is none, in microseconds since 1970."""
        if moment.offset is None or moment.clock is None or self.zone is None:
            return moment.local
        utc = moment.local - moment.offset
        return utc + self.zone.offset_at(utc // HOUR)

    def shift(self, moment: Moment) -> int:
        """Return what is added to the time of an open."""
        return self.length if self.rule.stamp == "open" and moment.clock is not None else 0

    def skipped(self, text: str) -> RowProblem:
        """Return the problem of a local time that does not exist."""
        rule = f"must exist in {self.rule.zone}, whose clocks skip it (set the times' zone with --time-zone)"
        return RowProblem("skipped", self.title, rule, text)

    def unreadable(self, text: str, where: str, line: int) -> RowProblem:
        """Return the problem of a cell that is no time.

        Raises:
            BarFileError: it is a title: the columns below it have another order.
        """
        if normalized(text) in KNOWN - {""}:
            raise BarFileError(f"{where}: line {line} holds other titles than the first; part the file there")
        if text.strip().lower() in MISSING:
            return RowProblem("missing", self.title, "must have a value", text)
        unit = f" in {self.rule.unit} since 1970" if self.rule.unit else ""
        rule = f"must be a date or time{unit} with a year of four digits"
        return RowProblem("time", self.title, rule, text)
