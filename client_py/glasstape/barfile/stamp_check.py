"""Whether the times of intraday bars are opens, by the first and last stamps of their days."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from glasstape.barfile.errors import BarFileError
from glasstape.barfile.time_cells import DAY, SECOND
from glasstape.barfile.time_rule import TimeRule
from glasstape.intervals import INTERVALS

REGULAR_DAYS = 3
"""Days with the same first and last stamps that make a session."""
_LINKS = {
    "US/Eastern": "America/New_York", "EST5EDT": "America/New_York", "America/Toronto": "America/New_York",
    "America/Detroit": "America/New_York", "ROK": "Asia/Seoul", "Japan": "Asia/Tokyo", "PRC": "Asia/Shanghai",
    "Hongkong": "Asia/Hong_Kong", "ROC": "Asia/Taipei", "Asia/Calcutta": "Asia/Kolkata", "GB": "Europe/London",
    "Australia/Melbourne": "Australia/Sydney",
}  # fmt: skip
"""Other names of zones in `_SESSIONS`."""
MAX_SYMBOLS = 20
"""Symbols that are looked at: the first of the file."""
_MINUTE = 60 * SECOND
_HALF_HOUR = 30 * _MINUTE
_SESSIONS = {
    "America/New_York": ("09:30", "16:00"),
    "Asia/Seoul": ("09:00", "15:30"),
    "Asia/Tokyo": ("09:00", "15:30"),
    "Asia/Shanghai": ("09:30", "15:00"),
    "Asia/Hong_Kong": ("09:30", "16:00"),
    "Asia/Taipei": ("09:00", "13:30"),
    "Asia/Kolkata": ("09:15", "15:30"),
    "Australia/Sydney": ("10:00", "16:00"),
    "Europe/London": ("08:00", "16:30"),
    "Europe/Paris": ("09:00", "17:30"),
    "Europe/Berlin": ("09:00", "17:30"),
}
"""Local open and close of the main stock exchange of a zone."""


@dataclass(slots=True)
class StampEvidence:
    """First and last stamp of each day of a file's first symbols."""

    days: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    """Local times after midnight in microseconds, by symbol and local day."""
    symbols: set[str] = field(default_factory=set)

    def see_day(self, symbol: str, day: int, first: int, last: int) -> None:
        """Note the first and last stamp of a part of a day."""
        if symbol not in self.symbols:
            if len(self.symbols) == MAX_SYMBOLS:
                return
            self.symbols.add(symbol)
        key = (symbol, day)
        known = self.days.get(key)
        self.days[key] = (first, last) if known is None else (min(first, known[0]), max(last, known[1]))

    def check(self, rule: TimeRule, where: str) -> list[str]:
        """Return a note if stamps may be opens.

        Raises:
            BarFileError: first and last stamps of the sessions show opens, or show neither, and nothing states it.
        """
        if rule.stamp or not self.days:
            return []
        length = int(INTERVALS[rule.interval].total_seconds()) * SECOND
        (first, first_days), (last, last_days) = (
            Counter(day[end] for day in self.days.values()).most_common(1)[0] for end in (0, 1)
        )
        if rule.daily:
            self._check_daily(first, rule, where)
            return []
        shown = f"days begin at {_text(first)} and end at {_text(last)}"
        if first == 0 and last == DAY - length:
            return [
                f"{shown}: times may be those of opens, and are taken as closes; "
                "state it with --stamp open or --stamp close"
            ]
        regular = min(first_days, last_days) >= max(REGULAR_DAYS, 0.6 * len(self.days))
        stamps = _stamps(first, last, length, rule.zone) if last > first else "close"
        if stamps == "open":
            raise BarFileError(
                f"{where}: {shown}, as opens of {rule.interval} bars do, and a close must not be before the bar ends: "
                "set --stamp open, or --stamp close if they are closes"
            )
        if not stamps and regular and last - first < DAY - 2 * length:
            raise BarFileError(
                f"{where}: {shown}: opens and closes of {rule.interval} bars may both do so; "
                "set --stamp open or --stamp close"
            )
        return []

    @staticmethod
    def _check_daily(clock: int, rule: TimeRule, where: str) -> None:
        """Check the time of day of daily and weekly bars.

        Raises:
            BarFileError: it is that at which the zone's exchange opens; of other zones, at which exchanges open.
        """
        session = _session(rule.zone)
        opens = {session[0]} if session else {_clock(opened) for opened, _ in _SESSIONS.values()}
        if clock in opens:
            raise BarFileError(
                f"{where}: {rule.interval} bars are stamped {_text(clock)}, when exchanges open, and a close must not "
                "be before the bar ends: set --stamp open, or --stamp close if they are closes"
            )


def _stamps(first: int, last: int, length: int, zone: str) -> Literal["", "open", "close"]:
    """Return what the first and last stamps of a zone's days are; empty: they show neither."""
    session = _session(zone)
    if session is not None:
        if first == session[0]:
            return "open"
        if first == session[0] + length or last == session[1]:
            return "close"
    round_opens = first % _HALF_HOUR == 0 and (last + length) % _HALF_HOUR == 0
    round_closes = (first - length) % _HALF_HOUR == 0 and last % _HALF_HOUR == 0
    if round_opens == round_closes:
        return "" if round_opens else "close"
    return "open" if round_opens else "close"


def _session(zone: str) -> tuple[int, int] | None:
    """Return open and close of the main exchange of a zone, in microseconds after midnight; None: unknown."""
    session = _SESSIONS.get(_LINKS.get(zone, zone))
    return None if session is None else (_clock(session[0]), _clock(session[1]))


def _clock(text: str) -> int:
    hour, minute = text.split(":")
    return (int(hour) * 60 + int(minute)) * _MINUTE


def _text(clock: int) -> str:
    minutes = clock // _MINUTE
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
