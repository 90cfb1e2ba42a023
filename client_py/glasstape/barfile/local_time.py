"""Local times of a zone as instants: skipped and doubled hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from glasstape.barfile.time_cells import DAY

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
HOUR = 60 * MINUTE


class Offsets(NamedTuple):
    """Offsets from UTC of one local time, in microseconds."""

    first: int
    second: int

    @property
    def skipped(self) -> bool:
        """Whether clocks skip the local time."""
        return self.first < self.second

    @property
    def doubled(self) -> bool:
        """Whether clocks show the local time twice."""
        return self.first > self.second


class LocalZone:
    """Local times of one zone; answers are remembered."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._offsets: dict[int, Offsets] = {}
        self._days: dict[int, int | None] = {}
        self._hours: dict[int, int] = {}

    def offsets(self, local: int) -> Offsets:
        """Return the offsets of a local time, in microseconds since 1970 as if it were UTC."""
        minute = local // MINUTE
        known = self._offsets.get(minute)
        if known is None:
            moment = _EPOCH + timedelta(minutes=minute)
            first, second = (
                (moment.replace(tzinfo=self.zone, fold=fold).utcoffset() or timedelta()) // _MICROSECOND
                for fold in (0, 1)
            )
            known = self._offsets[minute] = Offsets(first, second)
        return known

    def day_offset(self, day: int) -> int | None:
        """Return the offset of a whole day, in days since 1970; None: it changes on the day."""
        if day not in self._days:
            ends = {*self.offsets(day * DAY), *self.offsets((day + 1) * DAY)}
            self._days[day] = ends.pop() if len(ends) == 1 else None
        return self._days[day]

    def offset_at(self, hour: int) -> int:
        """Return the offset at the beginning of an hour, given in hours since 1970 UTC, in microseconds."""
        if hour not in self._hours:
            self._hours[hour] = self.local(hour * HOUR) - hour * HOUR
        return self._hours[hour]

    def local(self, utc: int) -> int:
        """Return the local time of an instant, both in microseconds since 1970."""
        moment = (_EPOCH + utc * _MICROSECOND).replace(tzinfo=ZoneInfo("UTC")).astimezone(self.zone)
        return (moment.replace(tzinfo=None) - _EPOCH) // _MICROSECOND


@dataclass(slots=True)
class _Day:
    """Rows of one symbol on a day on which clocks change."""

    last: int
    ascending: bool | None = None
    doubled: int | None = None
    """Newest time that clocks show twice."""
    second: bool = False
    """Whether the hour is shown for the second time in the order of the rows."""


class DoubledHours:
    """Resolves local times that clocks show twice by the order of a file's rows, symbol by symbol."""

    def __init__(self, *, ascending: bool) -> None:
        """Begin a file.

        Args:
            ascending: whether its rows go forward in time, for symbols whose own rows do not show it.
        """
        self._ascending = ascending
        self._days: dict[tuple[str, int], _Day] = {}
        self.count = 0
        """Times resolved."""

    def offset(self, symbol: str, local: int, offsets: Offsets) -> int:
        """Return the offset of a row of a day on which clocks change; rows are passed in the file's order."""
        day = self._days.get((symbol, local // DAY))
        if day is None:
            day = self._days[symbol, local // DAY] = _Day(local)
        elif day.ascending is None and local != day.last:
            day.ascending = local > day.last
        if not offsets.doubled:
            day.last = local
            return offsets.first
        ascending = self._ascending if day.ascending is None else day.ascending
        if day.doubled is not None and (local <= day.doubled if ascending else local >= day.doubled):
            day.second = True
        day.doubled = local
        day.last = local
        self.count += 1
        return offsets.second if day.second is ascending else offsets.first
