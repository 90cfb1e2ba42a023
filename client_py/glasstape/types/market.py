"""Bars and instruments."""

from dataclasses import dataclass
from datetime import datetime

from glasstape.errors import GlasstapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low, close and volume of one interval, stamped by its close."""

    symbol: str
    """1-32 of A-Z a-z 0-9 . _ : -"""
    interval: str
    """Length: 1m 3m 5m 10m 15m 30m 1h 2h 4h 1d 1w"""
    close_time: datetime
    """When the interval ended; must carry a time zone."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    provisional: bool = False
    """Still forming: replaceable, not durable, never signalled."""
    halted: bool = False
    """Output only: trading was suspended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What a symbol stands for."""

    symbol: str
    name: str = ""
    local_name: str = ""
    exchange: str = ""
    time_zone: str = "UTC"
    """IANA zone that decides trading days."""
    currency: str = ""
    tick_size: float | None = None
    price_decimals: int | None = None
    price_limit: float | None = None
    """Largest move from the previous session's close, as a share of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why one bar was not stored."""

    index: int
    """Position in the bars that were given."""
    symbol: str
    error: GlasstapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What became of published bars; everything stored is on the server's disk."""

    stored: int
    duplicates: int
    halted: int
    """Of the stored ones."""
    provisional: int
    rejected: int
    rejections: tuple[Rejection, ...]
    """The first 1,000 of each batch."""
