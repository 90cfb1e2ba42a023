"""Trading sessions that the dates and bars of a source belong to.

Markets stamp a daily bar by its date and a minute bar by its open. `Sessions` returns the close of either, with
half days, late openings and daylight saving time as in `glasstape.calendars`:

    sessions = await load_sessions("XKRX")
    sessions.of(date(2025, 11, 13))            # 10:00 to 16:30 in Seoul
    sessions.bar_close(opened, INTERVALS["5m"])
"""

import asyncio
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from glasstape import calendars
from glasstape.calendars import ALWAYS_OPEN, Calendar
from glasstape.exchanges import zone_of
from glasstape.sources.errors import SourceError

CURRENCIES = "FX"
"""Stands for an exchange of currency pairs, whose days end at midnight in London."""
_SAME_HOURS = {"BATS": "XNYS", "XNSE": "XBOM", "XSHE": "XSHG"}
"""Exchanges without a calendar of their own, by one that keeps the same hours."""
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TradingSession:
    """One trading day, in UTC."""

    open: datetime
    close: datetime


class Sessions(ABC):
    """Trading days of one market, by dates of its own zone. Times returned are in UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        """Zone that the dates are of."""

    @abstractmethod
    def of(self, day: date) -> TradingSession | None:
        """Return the session of a date; None: the market is closed on it.

        Raises:
            SourceError: the calendar does not cover the date.
        """

    def day_of(self, moment: datetime) -> date:
        """Return the date of a moment in the market's zone."""
        return moment.astimezone(self.zone).date()

    def at(self, moment: datetime) -> TradingSession | None:
        """Return the session that a moment is in; its close is not. None: outside of sessions.

        Raises:
            SourceError: the calendar does not cover the moment.
        """
        day = self.day_of(moment)
        for session in (self.of(day), self.of(day + _DAY)):  # futures open on the evening before
            if session is not None and session.open <= moment < session.close:
                return session
        return None

    def day_close(self, day: date) -> datetime | None:
        """Return the close of a date's session; None: the market is closed on it.

        Raises:
            SourceError: the calendar does not cover the date.
        """
        session = self.of(day)
        return None if session is None else session.close

    def week_close(self, day: date) -> datetime | None:
        """Return the close of the last session of a date's week, Monday to Sunday; None: it has none.

        Raises:
            SourceError: the calendar does not cover the week.
        """
        monday = day - timedelta(days=day.weekday())
        closes = [self.day_close(monday + timedelta(days=number)) for number in range(7)]
        return max((close for close in closes if close is not None), default=None)

    def bar_close(self, opened: datetime, length: timedelta, *, auction: bool = False) -> datetime | None:
        """Return the close of the bar that a moment belongs to; None: outside of sessions.

        Bars are counted from the session's open; the last one ends with the session.

        Args:
            opened: start of the bar or time of a trade.
            length: of the bar, less than a day.
            auction: whether the moment of the close belongs to the last bar: that of a closing auction's trades.

        Raises:
            SourceError: the calendar does not cover the moment.
        """
        session = self.at(opened)
        if session is None and auction:
            ended = self.of(self.day_of(opened))
            session = ended if ended is not None and ended.close == opened else None
        if session is None:
            return None
        return min(session.open + ((opened - session.open) // length + 1) * length, session.close)

    def next_close(self, moment: datetime, interval: str) -> datetime:
        """Return when the next bar of an interval closes, after a moment.

        Raises:
            SourceError: the calendar does not cover the time after the moment.
        """
        length = calendars.interval_length(interval)
        day = self.day_of(moment)
        for number in range(-1, 31):
            session = self.of(day + timedelta(days=number))
            if session is None or session.close <= moment:
                continue
            if length < _DAY:
                count = max((moment - session.open) // length + 1, 1)
                return min(session.open + count * length, session.close)
            close = session.close if interval == "1d" else self.week_close(day + timedelta(days=number))
            if close is not None and close > moment:
                return close
        raise SourceError(f"{interval} bars: the calendar has no session within 30 days of {day}")

    def first_day(self, start: datetime, interval: str) -> date:
        """Return the date from which rows are needed to make all bars that close after `start`."""
        day = self.day_of(start)
        return day - timedelta(days=day.weekday()) if interval == "1w" else day


class ContinuousSessions(Sessions):
    """Days from midnight to midnight of a zone: crypto and currencies."""

    def __init__(self, zone: ZoneInfo, weekdays: Collection[int] = range(7)) -> None:
        """Describe a market.

        Args:
            zone: whose midnights separate the days.
            weekdays: days of trading, Monday = 0.
        """
        super().__init__(zone)
        self._weekdays = frozenset(weekdays)

    def of(self, day: date) -> TradingSession | None:
        """Return the day, in UTC; None: not a weekday of trading."""
        if day.weekday() not in self._weekdays:
            return None
        opens = [datetime.combine(at, time(), self.zone).astimezone(UTC) for at in (day, day + _DAY)]
        return TradingSession(*opens)


class ExchangeSessions(Sessions):
    """Sessions of a calendar of `glasstape.calendars`."""

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        super().__init__(zone)
        self._exchange = calendar.exchange
        self._sessions = [TradingSession(_moment(start), _moment(end)) for start, end in calendar.sessions]
        # A session that ends at midnight is of the day before.
        self._days = [self.day_of(session.close - timedelta(microseconds=1)) for session in self._sessions]

    def of(self, day: date) -> TradingSession | None:
        """Return the session of a date; None: the exchange is closed on it.

        Raises:
            SourceError: the calendar does not cover the date.
        """
        number = bisect_right(self._days, day) - 1
        if number < 0 or day > self._days[-1]:
            raise SourceError(
                f"calendar of {self._exchange}: covers {self._days[0]} to {self._days[-1]}, not {day}"
            )
        return self._sessions[number] if self._days[number] == day else None


class ExtendedSessions(Sessions):
    """Sessions of a stock exchange with trading before the open and after the close."""

    def __init__(self, regular: Sessions, opens: time, after: timedelta) -> None:
        """Describe a market.

        Args:
            regular: its regular sessions, which decide the days and the close of daily bars.
            opens: start of trading, in the zone of `regular`.
            after: length of trading after the close.
        """
        super().__init__(regular.zone)
        self._regular = regular
        self._opens = opens
        self._after = after

    def of(self, day: date) -> TradingSession | None:
        """Return the session of a date; None: the exchange is closed on it.

        Raises:
            SourceError: the calendar does not cover the date.
        """
        session = self._regular.of(day)
        if session is None:
            return None
        return TradingSession(
            datetime.combine(day, self._opens, self.zone).astimezone(UTC), session.close + self._after
        )


def check_exchange(exchange: str | None) -> None:
    """Check the value of an option `--exchange`.

    Raises:
        SourceError: it is not the code of an exchange.
    """
    if exchange in (None, CURRENCIES) or zone_of(_SAME_HOURS.get(exchange or "", exchange or "")):
        return
    raise SourceError(f"--exchange: {exchange!r} is unknown; expected an ISO 10383 code, 24/7 or FX")


_loaded: dict[str, ExchangeSessions] = {}


async def load_sessions(exchange: str) -> Sessions:
    """Return the sessions of an exchange (ISO 10383 code), of `24/7` in UTC or of `FX`.

    The calendar is read once, by another process.

    Raises:
        SourceError: there is no calendar of the exchange, or `exchange-calendars` is not installed.
    """
    if exchange == ALWAYS_OPEN:
        return ContinuousSessions(ZoneInfo("UTC"))
    if exchange == CURRENCIES:
        return ContinuousSessions(ZoneInfo("Europe/London"), range(5))
    name = _SAME_HOURS.get(exchange, exchange)
    zone = zone_of(name)
    if not zone:
        raise SourceError(f"exchange {exchange!r}: unknown; expected an ISO 10383 code, 24/7 or FX")
    if name not in _loaded:
        await asyncio.wrap_future(calendars.load_in_background(name))
        calendar = calendars.find(name)
        if calendar is None:
            raise SourceError(f"exchange {exchange}: has no calendar, or exchange-calendars is not installed")
        _loaded[name] = ExchangeSessions(calendar, ZoneInfo(zone))
    return _loaded[name]


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
