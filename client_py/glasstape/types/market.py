"""Bars and instruments."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from glasstape.errors import GlasstapeError
from glasstape.intervals import INTERVALS as INTERVALS
from glasstape.types.enums import CorrectionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low, close and volume of one interval, stamped by its close."""

    symbol: str
    """See `glasstape.symbols`."""
    interval: str
    """One of `INTERVALS`."""
    close_time: datetime
    """When the interval ended; must carry a time zone."""
    open: float
    """Price of the first trade."""
    high: float
    """Highest price."""
    low: float
    """Lowest price."""
    close: float
    """Price of the last trade."""
    volume: float
    """Units traded."""
    provisional: bool = False
    """Still forming: replaceable, not durable, never signaled."""
    halted: bool = False
    """Output only: trading was suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Description of a symbol. Publishing it keeps what the server has for fields that are not set."""

    symbol: str
    """The symbol described."""
    name: str = ""
    """In English."""
    local_name: str = ""
    """In the market's own language."""
    exchange: str = ""
    """ISO 10383 code, for example "XNAS"."""
    time_zone: str = ""
    """IANA zone that decides trading days; empty: not set. Servers always return one."""
    currency: str = ""
    """ISO 4217 code."""
    tick_size: float | None = None
    """Smallest price step, in `currency`; None: unknown."""
    price_decimals: int | None = None
    """Decimals to show prices with; None: as many as needed."""
    price_limit: float | None = None
    """Largest move from the previous session's close, as a share of it; None: no known limit."""
    sector: str = ""
    """Sector in words."""
    industry: str = ""
    """Industry in words."""
    learned: tuple[str, ...] = ()
    """Fields whose values the server learned from the bars; publishing them back states nothing."""
    assumed: tuple[str, ...] = ()
    """Fields that hold a default because nothing shows their values: `time_zone` with "UTC"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why one bar was not stored."""

    index: int
    """Position in the published bars."""
    symbol: str
    """Symbol of the bar."""
    error: GlasstapeError
    """Why it was not stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """Result of publishing bars; everything stored is on the server's disk."""

    stored: int
    """Final bars newly stored, halted ones included."""
    duplicates: int
    """Bars stored before with the same values."""
    halted: int
    """Of the stored bars, those of a suspended market."""
    provisional: int
    """Provisional bars taken into memory (not durable)."""
    rejected: int
    """Bars that were not stored."""
    rejections: tuple[Rejection, ...]
    """The first 1,000 of each batch."""
    replaced: int = 0
    """Stored bars whose values were replaced, with `BarMode.REPLACE`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSeries:
    """The stored bars of one symbol and interval."""

    symbol: str
    """Symbol of the bars."""
    interval: str
    """Bar interval, for example "1d"."""
    bar_count: int
    """Final bars, halted ones included."""
    first_close: datetime
    """Close of the oldest final bar."""
    last_close: datetime
    """Close of the newest final bar."""
    age: timedelta
    """Market time since `last_close`."""
    retired: bool
    """No longer counted for the freshness of market data: newer bars of its interval have come for a week or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One correction of what was stored."""

    kind: CorrectionKind
    """What the correction did."""
    time: datetime
    """Market time at which it was made."""
    principal: str
    """Name of the caller that made it; empty: not kept."""
    symbol: str
    """Symbol at that time."""
    bar: Bar | None
    """The bar as it was before; None: a symbol was renamed."""
    new_symbol: str = ""
    """New name of a symbol that was renamed."""
