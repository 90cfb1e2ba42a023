"""Which bars are accepted, said one by one."""

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from glasstape_server.domain.errors import InvalidArgument, Violation
from glasstape_server.domain.values import INTERVALS, SECOND, SYMBOL_RULE, Bar, Instrument, is_symbol

MAX_TICK = 1e9
MAX_TEXT = {"name": 128, "local_name": 128, "exchange": 128, "currency": 128, "sector": 64, "industry": 64}
"""Characters of an instrument's texts."""
MAX_TIME = 4_102_444_800_000_000
"""Close times end with the year 2099, in microseconds."""
SMALLEST_PRICE, LARGEST = 1e-12, 1e18
"""Prices and volumes beyond these are slips, and would overflow in the features."""


def check_bar(bar: Bar) -> None:
    """Check one bar by itself.

    Raises:
        InvalidArgument: it breaks rules; the violations name each field, rule and value.
    """
    broken = [*_key(bar)]
    if not bar.halted:
        broken += _prices(bar)
    elif not bar.close <= LARGEST:
        broken.append(Violation("close", f"must be finite and above 0 (0..{LARGEST:g}), is {bar.close:g}"))
    if not 0 <= bar.volume <= LARGEST:
        broken.append(
            Violation("volume", f"must be finite and >= 0 (0..{LARGEST:g}), is {_text(bar.volume)}")
        )
    if broken:
        text = "; ".join(f"{item.field}: {item.rule}" for item in broken)
        raise InvalidArgument("BAR_INVALID", text, violations=tuple(broken))


def check_not_future(bar: Bar, now: int) -> None:
    """Check that a bar closes no later than the next close after market time `now`, in microseconds.

    Raises:
        InvalidArgument: it does: a mistyped year would make every true bar after it too old.
    """
    if bar.close_time > now + INTERVALS[bar.interval]:
        latest = datetime.fromtimestamp(now / SECOND, UTC).isoformat(timespec="seconds")
        sent = datetime.fromtimestamp(bar.close_time / SECOND, UTC).isoformat()
        rule = f"must not lie more than one interval after market time ({latest}), is {sent}"
        raise InvalidArgument.field("close_time", rule, "BAR_INVALID")


def check_instrument(instrument: Instrument) -> None:
    """Check one instrument.

    Raises:
        InvalidArgument: it breaks a rule.
    """
    if not is_symbol(instrument.symbol):
        raise InvalidArgument.field("instruments.symbol", f"{SYMBOL_RULE}, is {instrument.symbol[:64]!r}")
    for field, most in MAX_TEXT.items():
        value = getattr(instrument, field)
        if len(value) > most:
            raise InvalidArgument.field(
                f"instruments.{field}", f"at most {most} characters, has {len(value)}"
            )
    try:
        ZoneInfo(instrument.time_zone)
    except (KeyError, ValueError, OSError):
        raise InvalidArgument.field(
            "instruments.time_zone", f"must be an IANA time zone, is {instrument.time_zone[:64]!r}"
        ) from None
    if instrument.tick_size is not None and not 0 < instrument.tick_size <= MAX_TICK:
        raise InvalidArgument.field(
            "instruments.tick_size", f"must be above 0 and at most {MAX_TICK:g}, is {instrument.tick_size:g}"
        )
    if instrument.price_limit is not None and not 0 < instrument.price_limit <= 1:
        raise InvalidArgument.field(
            "instruments.price_limit", f"must be above 0 and at most 1, is {instrument.price_limit:g}"
        )
    if instrument.price_decimals is not None and instrument.price_decimals > 12:
        raise InvalidArgument.field(
            "instruments.price_decimals", f"must be 0-12, is {instrument.price_decimals}"
        )


def _key(bar: Bar) -> list[Violation]:
    broken = []
    if not is_symbol(bar.symbol):
        broken.append(Violation("symbol", f"{SYMBOL_RULE}, is {bar.symbol[:64]!r}"))
    if bar.interval not in INTERVALS:
        broken.append(
            Violation("interval", f"must be one of {' '.join(INTERVALS)}, is {bar.interval[:16]!r}")
        )
    if not 0 < bar.close_time <= MAX_TIME:
        broken.append(Violation("close_time", f"must lie in 1970-2099, is {bar.close_time / 1e6:g} s"))
    return broken


def _prices(bar: Bar) -> list[Violation]:
    named = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
    broken = [
        Violation(name, f"must be finite and above 0 ({SMALLEST_PRICE:g}..{LARGEST:g}), is {_text(value)}")
        for name, value in named.items()
        if not SMALLEST_PRICE <= value <= LARGEST
    ]
    if broken:
        return broken
    if bar.high < bar.low:
        return [Violation("high", f"must be >= low, is {bar.high:g} < {bar.low:g}")]
    return [
        Violation(name, f"must lie in low..high ({bar.low:g}..{bar.high:g}), is {named[name]:g}")
        for name in ("open", "close")
        if not bar.low <= named[name] <= bar.high
    ]


def _text(value: float) -> str:
    """Return a number as it is reported: NaN stands for a field that is not set, too."""
    return "unset or NaN" if math.isnan(value) else f"{value:g}"


@lru_cache(maxsize=4096)  # a whole market closes at one time
def day_of(time: int, time_zone: str) -> tuple[int, int]:
    """The local day that holds a time: its midnight and the next, in microseconds UTC."""
    local = datetime.fromtimestamp(time / SECOND, UTC).astimezone(ZoneInfo(time_zone))
    start = local.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=1)).replace(hour=0)
    return int(start.timestamp()) * SECOND, int(end.timestamp()) * SECOND
