"""Bars from ticks: one aggregator for trades and quotes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from glasstape.types.market import INTERVALS, Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade."""

    symbol: str
    time: datetime
    """By the market's clock, with a time zone."""
    price: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Best bid and ask; a bar is made of their middle and has no volume."""

    symbol: str
    time: datetime
    """By the market's clock, with a time zone."""
    bid: float
    ask: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Daily trading hours, local; `end` at or before `start` is on the next day."""

    start: time = time(0)
    end: time = time(0)


class IntervalGrid:
    """Where intervals begin and end: counted from the start of each session, the last one cut at its end.

    Args:
        interval: a key of `INTERVALS`.
        zone: IANA zone of the session.
        session: trading hours; the default is the whole local day.
    """

    def __init__(self, interval: str, zone: str = "UTC", session: Session | None = None) -> None:
        self._length = INTERVALS[interval]
        self._zone = ZoneInfo(zone)
        self._session = session or Session()

    def interval_at(self, moment: datetime) -> tuple[datetime, datetime] | None:
        """Return open and close, UTC, of the interval with `open <= moment < close`; None: no session then."""
        day = moment.astimezone(self._zone).date()
        for first in (day, day - timedelta(days=1)):  # a session may have begun on the day before
            start, end = self._hours(first)
            if start <= moment < end:
                return self._part(first, start, end, moment)
        return None

    def _part(self, day: date, start: datetime, end: datetime, moment: datetime) -> tuple[datetime, datetime]:
        if self._length == timedelta(days=1):
            return start, end
        if self._length > timedelta(days=1):
            monday = day - timedelta(days=day.weekday())
            return self._hours(monday)[0], self._hours(monday + timedelta(days=6))[1]
        opened = start + math.floor((moment - start) / self._length) * self._length
        return opened, min(opened + self._length, end)

    def _hours(self, day: date) -> tuple[datetime, datetime]:
        session = self._session
        last = day if session.end > session.start else day + timedelta(days=1)
        return self._utc(day, session.start), self._utc(last, session.end)

    def _utc(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)


@dataclass(slots=True)
class _Forming:
    opened: datetime
    closes: datetime
    first: tuple[datetime, float]
    last: tuple[datetime, float]
    high: float
    low: float
    volume: float

    def add(self, moment: datetime, price: float, size: float) -> None:
        if moment < self.first[0]:
            self.first = (moment, price)
        if moment >= self.last[0]:
            self.last = (moment, price)
        self.high, self.low = max(self.high, price), min(self.low, price)
        self.volume += size


class TickAggregator:
    """Makes bars of one interval from the ticks of any number of symbols.

    A tick belongs to the interval with `open <= time < close`, whenever it arrives until `grace` after the close.
    Then the bar is final, and later ticks of it are counted in `late`.

    Args:
        interval: a key of `INTERVALS`.
        zone: IANA zone of the session.
        session: trading hours; ticks outside are counted in `outside`.
        grace: how long after its close a bar takes ticks.
        since: ticks are complete from this time on; bars that opened before stay provisional. None: from the start.
        fill_empty: also make bars of intervals without ticks, at the last price and with volume 0.
    """

    def __init__(
        self,
        interval: str,
        zone: str = "UTC",
        session: Session | None = None,
        *,
        grace: timedelta = timedelta(seconds=2),
        since: datetime | None = None,
        fill_empty: bool = False,
    ) -> None:
        self._interval, self._grace, self._since, self._fill_empty = interval, grace, since, fill_empty
        self._grid = IntervalGrid(interval, zone, session)
        self._forming: dict[str, dict[datetime, _Forming]] = {}
        self._until = datetime.min.replace(tzinfo=UTC)
        """Bars that closed until here are final."""
        self._closed: dict[str, datetime] = {}
        self._price: dict[str, float] = {}
        self.late = 0
        self.outside = 0
        self.invalid = 0
        """Ticks without a positive, finite price, or with a bid above the ask."""

    def add(self, tick: Trade | Quote) -> Bar | None:
        """Take a tick; return the provisional bar that it changed, or None if it changes none."""
        price, size = _price_of(tick)
        if not (0 < price < math.inf and 0 <= size < math.inf):
            self.invalid += 1
            return None
        interval = self._grid.interval_at(tick.time)
        if interval is None:
            self.outside += 1
            return None
        opened, closes = interval
        if closes <= self._until:
            self.late += 1
            return None
        bars = self._forming.setdefault(tick.symbol, {})
        forming = bars.get(closes)
        if forming is None:
            point = (tick.time, price)
            forming = bars[closes] = _Forming(opened, closes, point, point, price, price, size)
        else:
            forming.add(tick.time, price, size)
        return self._bar(tick.symbol, forming, provisional=True)

    def advance(self, now: datetime) -> list[Bar]:
        """Return the bars that are final at a market time, in order of their closes."""
        self._until = max(self._until, now - self._grace)
        bars = [bar for symbol in list(self._forming) for bar in self._finished(symbol, self._until)]
        return sorted(bars, key=lambda bar: bar.close_time)

    def _finished(self, symbol: str, until: datetime) -> Iterator[Bar]:
        forming = self._forming[symbol]
        for closes in sorted(forming):
            if closes > until:
                break
            yield from self._empty(symbol, forming[closes].opened)
            bar = forming.pop(closes)
            self._closed[symbol], self._price[symbol] = closes, bar.last[1]
            partial = self._since is not None and bar.opened < self._since
            yield self._bar(symbol, bar, provisional=partial)
        yield from self._empty(symbol, until)

    def _empty(self, symbol: str, until: datetime) -> Iterator[Bar]:
        """Yield bars of the intervals without ticks that closed until a time, after the symbol's last bar."""
        closed = self._closed.get(symbol)
        if not self._fill_empty or closed is None:
            return
        moment = closed
        while moment < until:
            interval = self._grid.interval_at(moment)
            if interval is None:
                moment += timedelta(minutes=1)
                continue
            opened, closes = interval
            if closes > until:
                return
            self._closed[symbol] = moment = closes
            price = self._price[symbol]
            point = (opened, price)
            yield self._bar(symbol, _Forming(opened, closes, point, point, price, price, 0.0))

    def _bar(self, symbol: str, forming: _Forming, *, provisional: bool = False) -> Bar:
        return Bar(
            symbol=symbol,
            interval=self._interval,
            close_time=forming.closes,
            open=forming.first[1],
            high=forming.high,
            low=forming.low,
            close=forming.last[1],
            volume=forming.volume,
            provisional=provisional,
        )


def _price_of(tick: Trade | Quote) -> tuple[float, float]:
    if isinstance(tick, Trade):
        return tick.price, tick.size
    return ((tick.bid + tick.ask) / 2 if 0 < tick.bid <= tick.ask else math.nan), 0.0
