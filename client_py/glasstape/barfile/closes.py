"""Closes of bars: cells of times, resolved by the rule of their file."""

from dataclasses import dataclass

from glasstape.barfile.errors import RowProblem
from glasstape.barfile.local_time import DoubledHours, LocalZone
from glasstape.barfile.number_cells import MISSING
from glasstape.barfile.options import zone_of
from glasstape.barfile.time_cells import DAY, DateCell, TimeCell, days_of, epoch_micros, unit_of
from glasstape.barfile.time_rule import TimeRule
from glasstape.intervals import INTERVALS

_MICROSECONDS = 1_000_000


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
        self.week_days = (
            (6 if rule.close == DAY else 4) if rule.interval == "1w" and rule.stamp == "open" else 0
        )

    def moment(self, cell: TimeCell) -> Moment:
        """Return a cell with its parts settled.

        Raises:
            ValueError: no such day, or a number since 1970 of another unit.
        """
        if cell.date is None:
            if unit_of(cell.epoch) != self.rule.unit:
                raise ValueError(cell.epoch)
            day, clock = divmod(epoch_micros(cell.epoch, self.rule.unit), DAY)
            return self.settled(day, clock, 0)
        return self.settled(self.day(cell.date), cell.clock, cell.offset)

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
        if clock is None or not midnights:
            return Moment(day, clock, offset)
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
            doubled = offsets.doubled and moment.clock is not None
            utc = local - (self.doubled.offset(symbol, local, offsets) if doubled else offsets.first)
        return utc + self.shift(moment)

    def local_close(self, moment: Moment) -> int:
        """Return the local time that becomes the close, before its zone and stamp count."""
        if moment.clock is None:
            return (moment.day + self.week_days) * DAY + (self.rule.close or 0)
        night = self.rule.night_start
        return moment.local - (DAY if night is not None and moment.clock >= night else 0)

    def shift(self, moment: Moment) -> int:
        """Return what is added to the time of an open."""
        return self.length if self.rule.stamp == "open" and moment.clock is not None else 0

    def skipped(self, text: str) -> RowProblem:
        """Return the problem of a local time that does not exist."""
        rule = f"must exist in {self.rule.zone}, whose clocks skip it (set the times' zone with --time-zone)"
        return RowProblem("skipped", self.title, rule, text)

    def unreadable(self, text: str) -> RowProblem:
        """Return the problem of a cell that is no time."""
        if text.strip().lower() in MISSING:
            return RowProblem("missing", self.title, "must have a value", text)
        unit = f" in {self.rule.unit} since 1970" if self.rule.unit else ""
        rule = f"must be a date or time{unit} with a year of four digits"
        return RowProblem("time", self.title, rule, text)
