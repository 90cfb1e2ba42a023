"""Symbols, instruments and bars. Times are microseconds since 1970, UTC."""

import re
from dataclasses import dataclass
from enum import IntEnum

SYMBOL_RULE = "must be 1-32 of A-Z a-z 0-9 . _ : -"
SYMBOL = re.compile(r"[A-Za-z0-9._:\-]{1,32}")
SeriesKey = tuple[str, str]
"""Symbol and interval."""


def is_symbol(text: str) -> bool:
    """Return whether a text is a valid symbol."""
    return SYMBOL.fullmatch(text) is not None


class DataState(IntEnum):
    """Freshness of market data. Values as on the wire."""

    LIVE = 1
    DELAYED = 2
    REPLAY = 3
    STALE = 4
    EMPTY = 5


@dataclass(frozen=True, slots=True)
class Instrument:
    """Properties of the instrument that a symbol denotes."""

    symbol: str
    name: str = ""
    local_name: str = ""
    exchange: str = ""
    time_zone: str = "UTC"
    currency: str = ""
    tick_size: float | None = None
    price_decimals: int | None = None
    price_limit: float | None = None
    sector: str = ""
    industry: str = ""

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
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume."""
        return (self.open, self.high, self.low, self.close, self.volume)
