"""Instruments and bars. Times are microseconds since 1970, UTC."""

from dataclasses import dataclass, fields, replace
from enum import IntEnum

SeriesKey = tuple[str, str]
"""Symbol and interval."""


class DataState(IntEnum):
    """Freshness of market data. Values as on the wire."""

    LIVE = 1
    DELAYED = 2
    REPLAY = 3
    STALE = 4
    EMPTY = 5


@dataclass(frozen=True, slots=True)
class Instrument:
    """Properties of the instrument that a symbol denotes. Empty texts and None are not stated."""

    symbol: str
    name: str = ""
    local_name: str = ""
    exchange: str = ""
    time_zone: str = ""
    currency: str = ""
    tick_size: float | None = None
    price_decimals: int | None = None
    price_limit: float | None = None
    sector: str = ""
    industry: str = ""
    learned: tuple[str, ...] = ()
    """Fields whose values the bars show and no publisher stated."""
    assumed: tuple[str, ...] = ()
    """Fields that hold a default, because nothing shows their values."""

    def merged(self, newer: "Instrument") -> "Instrument":
        """Return this instrument with the values that a newer one states."""
        stated = {item.name: getattr(newer, item.name) for item in fields(newer)}
        return replace(self, **{name: value for name, value in stated.items() if value not in ("", None, ())})

    @property
    def price_step(self) -> float:
        """Smallest step of a price, from the tick or else from the decimals; 0 if neither is known."""
        if self.tick_size is not None:
            return self.tick_size
        return 0.0 if self.price_decimals is None else 10.0**-self.price_decimals


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low, close and volume of one interval, stamped by its close time."""

    symbol: str
    interval: str
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    provisional: bool = False

    @property
    def halted(self) -> bool:
        """Whether trading was suspended: a close without open, high and low."""
        return self.open == self.high == self.low == 0.0 and self.close > 0.0

    @property
    def no_trade(self) -> bool:
        """Whether nothing was traded: volume 0 at one price, as sources fill intervals or suspensions."""
        return self.volume == 0.0 and self.high == self.low and not self.halted

    @property
    def usable(self) -> bool:
        """Whether windows and outcomes are made of it: neither halted nor without trades."""
        return not self.halted and not self.no_trade

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume."""
        return (self.open, self.high, self.low, self.close, self.volume)
