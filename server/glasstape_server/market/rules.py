"""Rules for bars and instruments."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from glasstape.symbols import reason_invalid

from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import FailedPrecondition, InvalidArgument, Violation
from glasstape_server.domain.limits import (
    MAX_PRICE,
    MAX_PRICE_DECIMALS,
    MAX_TEXT,
    MAX_TICK,
    MAX_TIME,
    MIN_PRICE,
)
from glasstape_server.domain.times import INTERVALS, SECOND, duration_text

CLOCK_TOLERANCE = 5 * SECOND
"""How far the clock of a publisher may be ahead of market time, in microseconds."""

MAX_STEP = 8.0
"""Factor between two prices of neighboring bars from which on one of them is off by an order of magnitude."""
FREE_STEPS = 20
"""Steps of the price that a close may always move by: the price of a fraction of a cent may double with one step."""


def check_bar(bar: Bar) -> None:
    """Check the fields of one bar.

    Raises:
        InvalidArgument: it breaks rules; the violations name each field, rule and value.
    """
    broken = [violation for _, violation in broken_rules(bar)]
    if broken:
        text = "; ".join(f"{item.field}: {item.rule}" for item in broken)
        raise InvalidArgument("BAR_INVALID", text, violations=tuple(broken))


def broken_rules(bar: Bar) -> list[tuple[str, Violation]]:
    """Return the rules that a bar breaks: kind (symbol, interval, time, price, band or volume) and violation."""
    broken = [*_key(bar)]
    if not bar.halted:
        broken += _prices(bar)
    elif not bar.close <= MAX_PRICE:
        rule = f"must be finite and above 0 (0..{MAX_PRICE:g}), is {bar.close:g}"
        broken.append(("price", Violation("close", rule)))
    if not 0 <= bar.volume <= MAX_PRICE:
        rule = f"must be finite and >= 0 (0..{MAX_PRICE:g}), is {_text(bar.volume)}"
        broken.append(("volume", Violation("volume", rule)))
    return broken


def check_step(bar: Bar, before: float, price_step: float) -> None:
    """Check that a bar's close is of the order of magnitude of the close before.

    A misplaced decimal point, another unit or an unadjusted split would be a move of every window of the next weeks.

    Args:
        bar: the bar.
        before: close of the final bar before.
        price_step: smallest step of the instrument's price; 0: not known. Moves of a few steps are let through.

    Raises:
        InvalidArgument: it is not.
    """
    far = bar.close >= MAX_STEP * before or bar.close * MAX_STEP <= before
    if far and not bar.halted and abs(bar.close - before) > FREE_STEPS * price_step:
        rule = (
            f"must be within a factor of {MAX_STEP:g} of the close before ({before:g}) unless BAR_MODE_BACKFILL, "
            f"is {bar.close:g}; correct its decimal point or unit, adjust the stored bars after a split, "
            "or send it as BAR_MODE_BACKFILL if it is right"
        )
        raise InvalidArgument.field("close", rule, "BAR_INVALID")


def check_closed(bar: Bar, now: int) -> None:
    """Check that a final bar has closed by market time, and that a provisional one closes within an interval.

    A bar of the future would make every true bar before its close too old.

    Args:
        bar: the bar.
        now: market time, in microseconds since 1970, UTC.

    Raises:
        FailedPrecondition: it is final and closes more than `CLOCK_TOLERANCE` later; names how much.
        InvalidArgument: it is provisional and closes more than one interval later.
    """
    ahead = bar.close_time - now
    if ahead <= CLOCK_TOLERANCE:
        return
    sent = datetime.fromtimestamp(bar.close_time / SECOND, UTC).isoformat()
    time = datetime.fromtimestamp(now / SECOND, UTC).isoformat(timespec="seconds")
    if not bar.provisional:
        rule = (
            f"has not closed yet: closes in {duration_text(ahead)}, tolerance {duration_text(CLOCK_TOLERANCE)} "
            f"(market time {time}), is {sent}; send it as provisional, or once it has closed"
        )
        raise FailedPrecondition(
            "BAR_NOT_CLOSED",
            f"close_time: {rule}",
            violations=(Violation("close_time", rule),),
            metadata={"symbol": bar.symbol, "ahead_seconds": f"{ahead / SECOND:g}"},
        )
    if ahead > INTERVALS[bar.interval] + CLOCK_TOLERANCE:
        rule = f"must be at most one interval after market time ({time}), is {sent}"
        raise InvalidArgument.field("close_time", rule, "BAR_INVALID")


def check_instrument(instrument: Instrument) -> None:
    """Check the fields of one instrument.

    Raises:
        InvalidArgument: it breaks a rule.
    """
    if rule := reason_invalid(instrument.symbol):
        raise InvalidArgument.field("instruments.symbol", rule)
    for field, most in MAX_TEXT.items():
        value = getattr(instrument, field)
        if len(value) > most:
            raise InvalidArgument.field(
                f"instruments.{field}", f"at most {most} characters, has {len(value)}"
            )
    try:
        if instrument.time_zone:
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
    if instrument.price_decimals is not None and instrument.price_decimals > MAX_PRICE_DECIMALS:
        raise InvalidArgument.field(
            "instruments.price_decimals", f"must be 0-{MAX_PRICE_DECIMALS}, is {instrument.price_decimals}"
        )


def _key(bar: Bar) -> Iterator[tuple[str, Violation]]:
    if rule := reason_invalid(bar.symbol):
        yield "symbol", Violation("symbol", rule)
    if bar.interval not in INTERVALS:
        rule = f"must be one of {' '.join(INTERVALS)}, is {bar.interval[:16]!r}"
        yield "interval", Violation("interval", rule)
    if not 0 < bar.close_time <= MAX_TIME:
        yield "time", Violation("close_time", f"must lie in 1970-2099, is {bar.close_time / 1e6:g} s")


def _prices(bar: Bar) -> list[tuple[str, Violation]]:
    if MIN_PRICE <= bar.low <= bar.open <= bar.high <= MAX_PRICE and bar.low <= bar.close <= bar.high:
        return []  # nearly all bars: no texts are made for them
    named = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}
    above_0 = f"must be finite and above 0 ({MIN_PRICE:g}..{MAX_PRICE:g})"
    wrong = [
        ("price", Violation(name, f"{above_0}, is {_text(value)}"))
        for name, value in named.items()
        if not MIN_PRICE <= value <= MAX_PRICE
    ]
    if wrong:
        return wrong
    if bar.high < bar.low:
        return [("band", Violation("high", f"must be >= low, is {bar.high:g} < {bar.low:g}"))]
    inside = f"must lie in low..high ({bar.low:g}..{bar.high:g})"
    return [
        ("band", Violation(name, f"{inside}, is {named[name]:g}"))
        for name in ("open", "close")
        if not bar.low <= named[name] <= bar.high
    ]


def _text(value: float) -> str:
    """Return a number as it is reported: NaN stands for a field that is not set, too."""
    return "unset or NaN" if math.isnan(value) else f"{value:g}"
