"""Dates and times as files write them: cells taken apart, without deciding what they mean."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = date(1970, 1, 1)
YEARS = range(1900, 2100)
"""Years of bars."""
_UNITS = {"s": SECOND, "ms": 1_000, "us": 1, "ns": 0.001}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATES = (
    # Named groups: y, m, d where the order is certain; p, q where it is not; n is a month's name.
    r"(?P<y>[0-9]{4})(?P<sep>[-/.])(?P<m>[0-9]{1,2})(?P=sep)(?P<d>[0-9]{1,2})\.?",
    r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
    r"(?P<y>[0-9]{4})년\s*(?P<m>[0-9]{1,2})월\s*(?P<d>[0-9]{1,2})일",
    r"(?P<y>[0-9]{4})\. (?P<m>[0-9]{1,2})\. (?P<d>[0-9]{1,2})\.?",
    r"(?P<p>[0-9]{1,2})(?P<sep>[-/.])(?P<q>[0-9]{1,2})(?P=sep)(?P<y>[0-9]{4})",
    rf"(?P<n>{_MONTH})\s+(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>[0-9]{{4}})",
    rf"(?P<d>[0-9]{{1,2}})(?P<sep>[-/ ])(?P<n>{_MONTH})(?P=sep),?\s*(?P<y>[0-9]{{4}})",
    rf"(?P<y>[0-9]{{4}})-(?P<n>{_MONTH})-(?P<d>[0-9]{{1,2}})",
)
_date_patterns = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _DATES)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?:(?P<before>오전|오후)\s*)?(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?)?"
    r"(?:\s*(?P<after>[AaPp])\.?[Mm]\.?)?"
)
_DIGIT_CLOCK = re.compile(r"[0-9]{1,6}")
_OFFSET = re.compile(
    r"\s*(?:(?P<zero>Z|z|UTC|GMT)|(?:UTC|GMT)?(?P<sign>[+-])(?P<h>[0-9]{1,2}):?(?P<m>[0-9]{2})?)$"
)
_EPOCH_NUMBER = re.compile(r"[0-9]{9,19}(?:\.[0-9]*)?")
_COMPACT = re.compile(r"(?P<date>(?:19|20)[0-9]{6})(?P<clock>[0-9]{4}(?:[0-9]{2})?)")
_COMPACT_T = re.compile(r"(?P<date>(?:19|20)[0-9]{6})(?:T|\s+)(?P<clock>[0-9]{4}(?:[0-9]{2})?|[0-9]{5})")


class DateCell(NamedTuple):
    """A date: its year, and month and day, or two numbers whose order is open."""

    year: int
    first: int
    second: int
    ordered: bool
    """Whether `first` is the month and `second` the day; else any order."""


class TimeCell(NamedTuple):
    """A cell of dates or times, taken apart."""

    date: DateCell | None
    """None: `epoch` is set."""
    clock: int | None = None
    """Time of day, in microseconds after midnight, up to 24:00; None: a date only."""
    offset: int | None = None
    """Offset from UTC, in microseconds; None: none stated."""
    epoch: str = ""
    """A number since 1970 in an unknown unit, as written."""


@dataclass(frozen=True, slots=True)
class _Rest:
    clock: int | None
    offset: int | None


@lru_cache(maxsize=1 << 16)
def time_cell(text: str) -> TimeCell:
    """Take a cell apart.

    Raises:
        ValueError: it is neither a date, nor a time, nor a number since 1970.
    """
    text = text.strip()
    compact = _COMPACT_T.fullmatch(text) or _COMPACT.fullmatch(text)
    if compact is not None and not _is_epoch(text):
        return TimeCell(_date(compact["date"]), digit_clock(compact["clock"]))
    if _EPOCH_NUMBER.fullmatch(text):
        return TimeCell(None, epoch=text)
    text = _WEEKDAY.sub("", text, count=1)
    for pattern in _date_patterns:
        match = pattern.match(text)
        if match is not None:
            rest = text[match.end() :]
            if rest and rest[0] in "0123456789":
                continue
            parts = _rest(rest)
            return TimeCell(_date_cell(match), parts.clock, parts.offset)
    raise ValueError(text)


@lru_cache(maxsize=1 << 16)
def clock_cell(text: str) -> tuple[int, int | None]:
    """Return time of day and offset from UTC, in microseconds, of a cell that holds no date.

    Raises:
        ValueError: it is no time of day.
    """
    text = text.strip()
    if _DIGIT_CLOCK.fullmatch(text):
        return digit_clock(text), None
    if text[:1] and text[0] not in "T ":
        text = " " + text
    rest = _rest(text)
    if rest.clock is None:
        raise ValueError(text)
    return rest.clock, rest.offset


def digit_clock(text: str) -> int:
    """Return the time of HHMMSS or HHMM without its leading zeros, in microseconds after midnight.

    Raises:
        ValueError: no such time.
    """
    if len(text) <= 4:
        text = text.zfill(4) + "00"
    text = text.zfill(6)
    return _clock(int(text[:2]), int(text[2:4]), int(text[4:]), 0)


def days_of(year: int, month: int, day: int) -> int:
    """Return days since 1970.

    Raises:
        ValueError: no such day, or a year outside `YEARS`.
    """
    if year not in YEARS:
        raise ValueError(year)
    return (date(year, month, day) - _EPOCH).days


def date_text(days: int) -> str:
    """Return days since 1970 as YYYY-MM-DD."""
    return (_EPOCH + timedelta(days=days)).isoformat()


def unit_of(number: str) -> str:
    """Return the unit of a number since 1970 by its magnitude, for the years 1990 to 2100.

    Raises:
        ValueError: no unit puts it into these years.
    """
    value = float(number)
    for unit, scale in _UNITS.items():
        if 631_152_000 * SECOND <= value * scale < 4_102_444_800 * SECOND:
            return unit
    raise ValueError(number)


def epoch_micros(number: str, unit: str) -> int:
    """Return a number since 1970 in microseconds.

    The last instant of an interval (…59.999) is its end: exchanges write the close so.
    """
    whole, _, fraction = number.partition(".")
    if unit == "s":
        micros = int(whole) * SECOND + int((fraction + "000000")[:6])
    else:
        micros = (
            int(whole) * 1_000 if unit == "ms" else int(whole) if unit == "us" else -(-int(whole) // 1_000)
        )
    return _ended(micros)


def epoch_parts(number: str, unit: str) -> tuple[int, int]:
    """Return days since 1970 and time of day of a number since 1970; the end of a day is 24:00 of it."""
    micros = epoch_micros(number, unit)
    day, clock = divmod(micros, DAY)
    ended = clock == 0 and not number.partition(".")[0].endswith("0")
    return (day - 1, DAY) if ended else (day, clock)


def _ended(micros: int) -> int:
    second = micros % SECOND
    return micros - second + SECOND if second in (999_000, 999_999) else micros


def _is_epoch(text: str) -> bool:
    try:
        unit_of(text)
    except ValueError:
        return False
    return True


def _date(digits: str) -> DateCell:
    return DateCell(int(digits[:4]), int(digits[4:6]), int(digits[6:]), True)


def _date_cell(match: re.Match[str]) -> DateCell:
    groups = match.groupdict()
    year = int(groups["y"])
    if groups.get("p"):
        return DateCell(year, int(groups["p"]), int(groups["q"]), False)
    month = _MONTHS[groups["n"][:3].lower()] if groups.get("n") else int(groups["m"])
    return DateCell(year, month, int(groups["d"]), True)


@lru_cache(maxsize=1 << 16)
def _rest(text: str) -> _Rest:
    """Return clock and offset of what follows a date.

    Raises:
        ValueError: it is neither blank nor a time of day.
    """
    if not text.strip():
        return _Rest(None, None)
    if text[0] not in "T, \u00a0":
        raise ValueError(text)
    text = text[1:].strip()
    match = _CLOCK.match(text)
    if match is None:
        raise ValueError(text)
    offset = _offset(text[match.end() :])
    return _Rest(_matched_clock(match), offset)


def _offset(text: str) -> int | None:
    if not text:
        return None
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise ValueError(text)
    if match["zero"]:
        return 0
    size = int(match["h"]) * 3600 + int(match["m"] or 0) * 60
    if size > 18 * 3600:
        raise ValueError(text)
    return (-size if match["sign"] == "-" else size) * SECOND


def _matched_clock(match: re.Match[str]) -> int:
    hour = int(match["h"])
    half = {"오전": "a", "오후": "p"}.get(match["before"] or "", (match["after"] or "").lower())
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(match[0])
        hour = hour % 12 + (12 if half == "p" else 0)
    fraction = int((match["f"] or "0").ljust(9, "0")[:9]) // 1_000
    return _ended(_clock(hour, int(match["min"]), int(match["s"] or 0), fraction))


def _clock(hour: int, minute: int, second: int, micros: int) -> int:
    time = (hour * 3600 + minute * 60 + second) * SECOND + micros
    if minute > 59 or second > 59 or time > DAY:
        raise ValueError(f"{hour}:{minute}:{second}")
    return time
