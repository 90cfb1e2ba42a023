"""What trades cost in each market, by date: the table `trading_costs.toml`, or a file of the same form."""

import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from glasstape.textfile import decode_text

from glasstape_server.domain.paper_book import CostRates
from glasstape_server.domain.times import SECOND

_RATES = ("commission", "half_spread", "sell_tax", "borrow", "price_limit")
_LARGEST = {"commission": 0.1, "half_spread": 0.1, "sell_tax": 0.1, "borrow": 10.0, "price_limit": 1.0}


@dataclass(frozen=True, slots=True)
class DatedRate:
    """A rate that changed at some dates; without any, 0."""

    dates: tuple[date, ...] = ()
    """First trade date of each value, ascending; the first value also holds before."""
    values: tuple[float, ...] = ()

    @classmethod
    def constant(cls, value: float) -> "DatedRate":
        """Return a rate that never changes."""
        return cls((date.min,), (value,))

    def on(self, day: date) -> float:
        """Return the rate of a trade date."""
        if not self.values:
            return 0.0
        return self.values[max(0, bisect_right(self.dates, day) - 1)]

    def to_json(self) -> list[dict[str, object]]:
        """Return the values with their dates; the date of a constant is empty."""
        pairs = zip(self.dates, self.values, strict=True)
        return [{"from": "" if day == date.min else day.isoformat(), "rate": value} for day, value in pairs]


@dataclass(frozen=True, slots=True)
class MarketCosts:
    """Costs and price limits of one market."""

    name: str
    title: str
    time_zone: str
    """Of trade dates."""
    commission: DatedRate = DatedRate()
    half_spread: DatedRate = DatedRate()
    sell_tax: DatedRate = DatedRate()
    borrow: DatedRate = DatedRate()
    price_limit: DatedRate = DatedRate()
    """Largest change of a price within a day, as a share of the close of the day before; 0: no limit."""

    def day(self, time: int) -> date:
        """Return the local date of a time, microseconds."""
        return datetime.fromtimestamp(time / SECOND, UTC).astimezone(ZoneInfo(self.time_zone)).date()

    def rates(self, day: date) -> CostRates:
        """Return the costs of a trade date."""
        return CostRates(*(getattr(self, name).on(day) for name in _RATES[:-1]))

    def with_rates(self, values: Mapping[str, float | None]) -> "MarketCosts":
        """Return these costs with constant rates in place of some; None leaves a rate as it is.

        Raises:
            ValueError: a rate is outside its range.
        """
        changes: dict[str, Any] = {
            name: DatedRate.constant(_check(name, value))
            for name, value in values.items()
            if value is not None
        }
        return replace(self, **changes)

    def to_json(self) -> dict[str, object]:
        """Return name, title and all rates."""
        rates = {name: getattr(self, name).to_json() for name in _RATES}
        return {"market": self.name, "title": self.title, "time_zone": self.time_zone, **rates}


def read_costs(market: str, path: Path | None = None) -> MarketCosts:
    """Return the costs of a market.

    Args:
        market: name of a table.
        path: TOML file of the same form as `trading_costs.toml`; None: that file.

    Raises:
        ValueError: the file is invalid, or has no such market.
        OSError: the file cannot be read.
    """
    source = path or files("glasstape_server.market") / "trading_costs.toml"
    where = "" if path is None else f"{path}: "
    try:
        tables = tomllib.loads(decode_text(source.read_bytes(), str(source)))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}not TOML: {error}") from None
    if not isinstance(tables.get(market), dict):
        known = ", ".join(tables) + (f" ({path})" if path else "")
        raise ValueError(f"--market: must be one of {known}, is {market!r}")
    try:
        return _parse(market, tables[market])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}{market}.{error}") from None


def _parse(market: str, table: dict[str, Any]) -> MarketCosts:
    """Return the costs of a table.

    Raises:
        ValueError: a key is unknown or a value invalid; the text begins with the key.
    """
    if unknown := sorted(table.keys() - {"title", "time_zone", *_RATES}):
        raise ValueError(f"{unknown[0]}: unknown key, must be one of title, time_zone, {', '.join(_RATES)}")
    zone = table.get("time_zone", "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError):
        raise ValueError(f"time_zone: must be an IANA time zone such as Asia/Seoul, is {zone!r}") from None
    rates = {name: _rate(name, table[name]) for name in _RATES if name in table}
    return MarketCosts(market, str(table.get("title", market)), zone, **rates)


def _rate(name: str, stated: object) -> DatedRate:
    if not isinstance(stated, list):
        return DatedRate.constant(_check(name, stated))
    dates, values = [], []
    for item in stated:
        if not isinstance(item, dict) or item.keys() != {"from", "rate"} or type(item["from"]) is not date:
            raise ValueError(f"{name}: must be a number or a list of {{ from = DATE, rate = NUMBER }}")
        dates.append(item["from"])
        values.append(_check(name, item["rate"]))
    if not dates or dates != sorted(set(dates)):
        raise ValueError(f"{name}: dates must be ascending")
    return DatedRate(tuple(dates), tuple(values))


def _check(name: str, value: object) -> float:
    """Return a rate.

    Raises:
        ValueError: it is no number in its range.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= _LARGEST[name]:  # type: ignore[operator]
        raise ValueError(f"{name}: must be a number from 0 to {_LARGEST[name]:g}, is {value!r}")
    return float(value)  # type: ignore[arg-type]
