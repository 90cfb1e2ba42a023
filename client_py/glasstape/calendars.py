"""Trading sessions of exchanges: whether one is open, and when it opens or closes next.

Sessions come from the package `exchange_calendars` (extras `server` and `desktop`), by ISO 10383 code. Reading
them takes seconds and 70 MB (pandas), so a child process does it, once for each exchange:

    from glasstape import calendars

    calendars.load("XKRX")
    sessions = calendars.find("XKRX")
    if sessions is not None:
        print(sessions.is_open(now), sessions.next_open(now))

The exchange `24/7` is always open and needs no package.
"""

import json
import logging
import subprocess
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

log = logging.getLogger(__name__)

ALWAYS_OPEN = "24/7"
"""Exchange of markets that never close."""
ALIASES = {"XKOS": "XKRX", "XKON": "XKRX", "XNGS": "XNYS", "XNMS": "XNYS", "ARCX": "XNYS"}
"""Exchanges that `exchange_calendars` does not know, and one that keeps the same hours."""
FIRST_DAY = "2010-01-01"
"""First day of the calendars. Each year costs time when they are read."""
LATE_DAYS = {"XKRX": ("2021-11-18", "2022-11-17", "2023-11-16", "2024-11-14", "2025-11-13", "2026-11-19")}
"""Days that `exchange_calendars` 4.13 has at the usual hours, and whose session was or is an hour later: Korea's
college entrance examinations, 10:00 to 16:30."""
READ_TIMEOUT_S = 60.0
"""Longest time that the child process may take."""

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR


def _periods(
    sessions: Iterable[tuple[int, int]], breaks: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield times of uninterrupted trading: sessions without their breaks, joined where one follows another."""
    ends = dict(breaks)
    starts = sorted(ends)
    opened = closed = None
    for start, end in sessions:
        pauses = starts[bisect_left(starts, start) : bisect_left(starts, end)]
        for first, last in zip([start, *(ends[p] for p in pauses)], [*pauses, end], strict=True):
            if first != closed:
                if opened is not None and closed is not None:
                    yield opened, closed
                opened = first
            closed = last
    if opened is not None and closed is not None:
        yield opened, closed


class Calendar:
    """Trading sessions of one exchange. Times are microseconds since 1970, UTC; immutable."""

    def __init__(
        self,
        exchange: str,
        sessions: Iterable[tuple[int, int]],
        breaks: Iterable[tuple[int, int]] = (),
    ) -> None:
        """Describe an exchange.

        Args:
            exchange: its ISO 10383 code.
            sessions: open and close of each trading day, in order.
            breaks: start and end of each break within a session (lunch), in order.
        """
        self.exchange = exchange
        self.sessions = tuple((start, end) for start, end in sessions)
        """Open and close of each trading day, in order."""
        self.periods = tuple(_periods(self.sessions, breaks))
        """Open and close of each time of uninterrupted trading, in order."""
        self._opens = [start for start, _ in self.periods]
        self._closes = [end for _, end in self.periods]
        self._session_opens = [start for start, _ in self.sessions]

    @property
    def always_open(self) -> bool:
        """Whether the market never closes."""
        return self.exchange == ALWAYS_OPEN

    def covers(self, moment: datetime) -> bool:
        """Return whether the sessions around a moment are known."""
        return self.always_open or (
            bool(self.sessions) and self.sessions[0][0] <= _micros(moment) < self.sessions[-1][1]
        )

    def is_open(self, moment: datetime) -> bool:
        """Return whether the exchange trades at a moment, which the calendar must cover."""
        if self.always_open:
            return True
        number = self.period_before(_micros(moment) + 1)
        return number >= 0 and _micros(moment) < self.periods[number][1]

    def next_open(self, moment: datetime) -> datetime | None:
        """Return when trading starts next, after a moment; None: unknown, or it never stops."""
        number = bisect_right(self._opens, _micros(moment))
        return _moment(self._opens[number]) if number < len(self._opens) else None

    def next_close(self, moment: datetime) -> datetime | None:
        """Return when trading stops next, after a moment; None: unknown, or never."""
        number = bisect_right(self._closes, _micros(moment))
        return _moment(self._closes[number]) if number < len(self._closes) else None

    def period_before(self, time: int) -> int:
        """Return the number of the last period that opened before a time, in microseconds; -1: none."""
        return bisect_left(self._opens, time) - 1

    def session_before(self, time: int) -> int:
        """Return the number of the last session that opened before a time, in microseconds; -1: none."""
        return bisect_left(self._session_opens, time) - 1


_calendars: dict[str, Calendar | None] = {ALWAYS_OPEN: Calendar(ALWAYS_OPEN, ())}
"""Calendars that were read, by the names of `exchange_calendars`; None: there is none of that name."""
_known: set[str] = set()
"""Names that `exchange_calendars` has; empty before the first reading."""
_reading = threading.Lock()
_futures: dict[str, "Future[None]"] = {}


def interval_length(interval: str) -> timedelta:
    """Return the length of bars of an interval such as `5m`, `1h`, `1d` or `1w`.

    Raises:
        ValueError: not such an interval.
    """
    count, unit = interval[:-1], _UNITS.get(interval[-1:])
    if unit is None or not count.isdecimal():
        raise ValueError(f"interval: must be a number with m, h, d or w, is {interval!r}")
    return timedelta(**{unit: int(count)})


def resolved(exchange: str) -> str:
    """Return the exchange whose calendar an exchange has: itself, or the one in `ALIASES`."""
    return ALIASES.get(exchange, exchange)


def find(exchange: str) -> Calendar | None:
    """Return the calendar of an exchange; None until it is loaded, and if there is none."""
    return _calendars.get(resolved(exchange))


def is_loaded(exchange: str) -> bool:
    """Return whether `find` gives its final answer."""
    return resolved(exchange) in _calendars


def load(*exchanges: str) -> None:
    """Read calendars. Takes seconds: call it from a worker thread, or use `load_in_background`.

    Exchanges without a calendar, and a missing package, are logged and leave `find` at None.
    """
    with _reading:
        missing = sorted({resolved(name) for name in exchanges} - _calendars.keys())
        # Once the known names are known, unknown ones do not start a process each.
        readable = [name for name in missing if not _known or name in _known]
        found = _read(readable) if readable else {}
        for name in missing:
            if name not in found:
                log.info("there is no calendar of exchange %s", name[:64])
        _calendars.update({**dict.fromkeys(missing), **found})


def load_in_background(exchange: str) -> "Future[None]":
    """Read a calendar on a daemon thread, once; return a future that is done when it is loaded."""
    name = resolved(exchange)
    if name not in _futures:
        future: Future[None] = Future()
        _futures[name] = future

        def run() -> None:
            try:
                load(name)
            finally:
                future.set_result(None)

        threading.Thread(target=run, name="calendar", daemon=True).start()
    return _futures[name]


def _read(exchanges: Sequence[str]) -> dict[str, Calendar]:
    """Return calendars by exchange, read by a child process; failures are logged."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "glasstape.calendars"],
            input=json.dumps(list(exchanges)),
            capture_output=True,
            text=True,
            timeout=READ_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("calendars of %s cannot be read: %s", ", ".join(exchanges), error)
        return {}
    if done.returncode:
        reason = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        log.warning("calendars of %s cannot be read: %s", ", ".join(exchanges), reason[:300])
        return {}
    found = json.loads(done.stdout)
    _known.update(found["names"])
    return {name: Calendar(name, *parts) for name, parts in found["calendars"].items()}


def _sessions(exchange: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return sessions and breaks of a calendar of `exchange_calendars`. Runs in the child process."""
    from exchange_calendars import get_calendar

    try:
        calendar = get_calendar(exchange, start=FIRST_DAY)
    except ValueError:  # this calendar begins later
        calendar = get_calendar(exchange)
    sessions = list(zip(_column(calendar.opens), _column(calendar.closes), strict=True))
    for number in calendar.opens.index.get_indexer(LATE_DAYS.get(exchange, ())):
        opened, closed = sessions[number]
        if (
            number > 0 and opened % _DAY == sessions[number - 1][0] % _DAY
        ):  # else the package has the late hours
            sessions[number] = (opened + _HOUR, closed + _HOUR)
    breaks = zip(_column(calendar.break_starts.dropna()), _column(calendar.break_ends.dropna()), strict=True)
    return sessions, list(breaks)


def _column(times: Any) -> list[int]:
    """Return a pandas series of times as microseconds since 1970."""
    return [int(time.timestamp()) * 1_000_000 for time in times]


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(time: int) -> datetime:
    return _EPOCH + time * _MICROSECOND


def main() -> None:
    """Read exchange codes as a JSON list; write all known codes, and sessions and breaks of those asked for."""
    try:
        from exchange_calendars import get_calendar_names
    except ImportError as error:
        sys.exit(f"{error}; install the package exchange-calendars")
    names = get_calendar_names()
    found = {name: _sessions(name) for name in json.load(sys.stdin) if name in names}
    json.dump({"names": names, "calendars": found}, sys.stdout)


if __name__ == "__main__":
    main()
