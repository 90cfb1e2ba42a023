"""Properties of a bar file that it does not state itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from glasstape.barfile.errors import KINDS, BarFileError

ROLES = ("symbol", "time", "date", "clock", "open", "high", "low", "close", "volume", "adjusted")
"""What a column may be."""
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
SECOND = 1_000_000
DAY = 86_400 * SECOND
_FIXED = re.compile(r"EST|MST|HST|Etc/GMT[+-].*")
"""Zones that look like a place's and never change their clocks."""


@dataclass(frozen=True, slots=True)
class BarFileOptions:
    """Answers to what a file leaves open; the command line's group of options. Empty: not stated."""

    time_zone: str = ""
    """IANA zone of times without an offset, and of dates."""
    close: int | None = None
    """Local closing time of rows with a date only, in microseconds after midnight, up to 24:00."""
    stamp: Literal["", "open", "close"] = ""
    """What the times are: of a bar's open or close."""
    time_unit: Literal["", "s", "ms", "us", "ns"] = ""
    """Unit of times that are numbers since 1970."""
    date_order: Literal["", "ymd", "mdy", "dmy"] = ""
    decimal: Literal["", ".", ","] = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Title by role (`ROLES`)."""
    ignored: frozenset[str] = frozenset()
    """Titles of columns to ignore."""
    no_volume: bool = False
    """Whether the market reports no volume: 0 is taken where a file has none."""
    symbol: str = ""
    """Symbol of files without such a column."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """New symbol by the file's."""
    night_start: int | None = None
    """Local time from which on rows belong to the evening before their date, in microseconds after midnight."""
    accepted: frozenset[str] = frozenset()
    """Kinds of row problems (`KINDS`) whose rows are left out."""

    @property
    def zone(self) -> ZoneInfo | None:
        """Zone of times without an offset; None: not stated."""
        return zone_of(self.time_zone) if self.time_zone else None

    def notes(self) -> list[str]:
        """Return warnings about the options themselves."""
        if _FIXED.fullmatch(self.time_zone):
            west = ", and its sign is inverted" if self.time_zone.startswith("Etc/") else ""
            return [f"--time-zone {self.time_zone} is a fixed offset without daylight saving time{west}"]
        return []


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        BarFileError: it is not an IANA zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BarFileError(
            f"--time-zone: must be an IANA time zone such as Asia/Seoul, is {name!r}"
        ) from None


def clock_of(text: str, option: str = "--close") -> int:
    """Return a time of day, 0:00 to 24:00, in microseconds after midnight.

    Raises:
        BarFileError: it is not HH:MM or HH:MM:SS; an offset belongs into the time zone.
    """
    match = _CLOCK.fullmatch(text.strip())
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (99, 0, 0)
    time = (hour * 3600 + minute * 60 + second) * SECOND
    if minute > 59 or second > 59 or time > DAY:
        raise BarFileError(f"{option}: must be HH:MM or HH:MM:SS, 00:00-24:00 without an offset, is {text!r}")
    return time


def close_of(text: str) -> int:
    """Return the closing time of dates, in microseconds after midnight.

    Raises:
        BarFileError: it is not a time of day, or 0:00, at which the day of a date begins.
    """
    close = clock_of(text)
    if close == 0:
        raise BarFileError(
            "--close: 00:00 is when a day begins; set 24:00 for bars that close at midnight after their date"
        )
    return close


def check_accepted(kinds: frozenset[str], known: tuple[str, ...] = KINDS) -> frozenset[str]:
    """Return kinds of problems.

    Raises:
        BarFileError: a kind is unknown.
    """
    if unknown := sorted(kinds - set(known)):
        raise BarFileError(f"--accept: must be of {', '.join(known)}, has {', '.join(unknown)}")
    return kinds
