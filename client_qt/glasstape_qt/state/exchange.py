"""Opening hours and price limits of exchanges, as the desktop shows them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo

from glasstape import Instrument, calendars

from glasstape_qt.state.watch_row import WatchRow

CLOSING_AUCTION = {"XKRX": timedelta(minutes=10)}
"""How long before the close the continuous session ends."""
XKRX_LIMITS = ((date(2015, 6, 15), 0.30), (date(1998, 12, 7), 0.15))
"""First day, and the largest move from that day on as a share of the previous close."""
_XKRX_TICKS = ((2_000, 1), (5_000, 5), (20_000, 10), (50_000, 50), (200_000, 100), (500_000, 500))
"""Price below which a tick has this size, since 2023; 1,000 won above."""


class Phase(StrEnum):
    """Where a trading day stands."""

    UNKNOWN = "unknown"
    """No calendar for this exchange."""
    OPEN = "open"
    CLOSING_AUCTION = "closing_auction"
    CLOSED = "closed"


@dataclass(frozen=True)
class Hours:
    """The phase, and when the next one begins (None: not known)."""

    phase: Phase
    until: datetime | None


def hours(exchange: str, moment: datetime) -> Hours:
    """Return the phase of an exchange at a moment of market time; UNKNOWN until its calendar is loaded."""
    calendar = calendars.find(exchange)
    if calendar is None or not calendar.covers(moment):
        return Hours(Phase.UNKNOWN, None)
    if not calendar.is_open(moment):
        return Hours(Phase.CLOSED, calendar.next_open(moment))
    close = calendar.next_close(moment)
    if close is None:
        return Hours(Phase.OPEN, None)
    auction = close - CLOSING_AUCTION.get(calendar.exchange, timedelta())
    if moment >= auction:
        return Hours(Phase.CLOSING_AUCTION, close)
    return Hours(Phase.OPEN, auction)


@cache
def zone_named(name: str) -> ZoneInfo:
    """A zone; UTC if there is none of that name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def zone(instrument: Instrument) -> ZoneInfo:
    """The exchange's zone."""
    return zone_named(instrument.time_zone)


def price_limit(row: WatchRow, price: float | None = None, change: float | None = None) -> int:
    """+1 at the upper price limit (상한가), -1 at the lower (하한가), 0 between them or without a limit.

    Args:
        row: the symbol's row.
        price: its newest price; None: the close of the row.
        change: change of that price since the previous session's close.
    """
    signal = row.event.signal
    limit, close = _limit(row), signal.bar.close if price is None else price
    previous = signal.previous_session_close if change is None else close / (1 + change)
    if limit is None or previous is None:
        return 0
    tick = row.instrument.tick_size or _tick(row.instrument, close)
    # The limit is cut to whole ticks, so the last price inside it can be a tick away.
    if close > previous * (1 + limit) - tick:
        return 1
    return -1 if close < previous * (1 - limit) + tick else 0


def _limit(row: WatchRow) -> float | None:
    if row.instrument.price_limit is not None:
        return row.instrument.price_limit
    if calendars.resolved(row.instrument.exchange) != "XKRX":
        return None
    day = row.event.bar_close_time.date()
    return next((limit for since, limit in XKRX_LIMITS if day >= since), None)


def _tick(instrument: Instrument, price: float) -> float:
    if calendars.resolved(instrument.exchange) == "XKRX":
        return next((tick for below, tick in _XKRX_TICKS if price < below), 1_000)
    return float(10 ** -(instrument.price_decimals or 0)) if instrument.price_decimals else 0.01


def in_market_time(moment: datetime, place: ZoneInfo) -> str:
    """A moment with its zone; midnight closes show the date alone."""
    here = moment.astimezone(place)
    form = "%Y-%m-%d" if here.time() == time() else "%Y-%m-%d %H:%M"
    return f"{here:{form}} {here.tzname()}"
