"""Bars and instruments."""

import math
from collections.abc import Iterable, Sequence

from glasstape._convert.common import enum_to, error_from, time_from, time_to
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import BarMode
from glasstape.types.market import Bar, Instrument, PublishReport, Rejection
from glasstape.v1 import market_pb2 as pb

_NUMBERS = ("open", "high", "low", "close", "volume")


def bar_to(bar: Bar, field: str = "bar") -> pb.Bar:
    """Return the message of a bar, without `halted`, which only servers set; `field` is its path in the request.

    Raises:
        InvalidRequestError: a number is None or NaN, or the close time has no time zone.
    """
    _check_numbers(bar, field)
    return pb.Bar(
        symbol=bar.symbol,
        interval=bar.interval,
        close_time=time_to(bar.close_time, f"{field}.close_time"),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        provisional=bar.provisional,
    )


def _check_numbers(bar: Bar, field: str) -> None:
    """Refuse numbers that are absent: the wire would carry None as "unset" and NaN as a value."""
    for name in _NUMBERS:
        value = getattr(bar, name)
        if value is None or math.isnan(value):
            raise InvalidRequestError.field(f"{field}.{name}", f"must be a number, is {value}")


def bars_to(bars: Sequence[Bar], field: str = "bars", first: int = 0) -> list[pb.Bar]:
    """Return the messages of bars; the first is number `first` of `field`."""
    return [bar_to(bar, f"{field}[{number}]") for number, bar in enumerate(bars, first)]


def bar_from(message: pb.Bar) -> Bar:
    """Return a bar."""
    return Bar(
        symbol=message.symbol,
        interval=message.interval,
        close_time=time_from(message.close_time),
        open=message.open,
        high=message.high,
        low=message.low,
        close=message.close,
        volume=message.volume,
        provisional=message.provisional,
        halted=message.halted,
    )


def instrument_to(instrument: Instrument) -> pb.Instrument:
    """Return the message of an instrument."""
    return pb.Instrument(
        symbol=instrument.symbol,
        name=instrument.name,
        local_name=instrument.local_name,
        exchange=instrument.exchange,
        time_zone=instrument.time_zone,
        currency=instrument.currency,
        tick_size=instrument.tick_size,
        price_decimals=instrument.price_decimals,
        price_limit=instrument.price_limit,
        sector=instrument.sector,
        industry=instrument.industry,
        learned=instrument.learned,
        assumed=instrument.assumed,
    )


def instrument_from(message: pb.Instrument) -> Instrument:
    """Return an instrument."""
    has = message.HasField
    return Instrument(
        symbol=message.symbol,
        name=message.name,
        local_name=message.local_name,
        exchange=message.exchange,
        time_zone=message.time_zone,
        currency=message.currency,
        tick_size=message.tick_size if has("tick_size") else None,
        price_decimals=message.price_decimals if has("price_decimals") else None,
        price_limit=message.price_limit if has("price_limit") else None,
        sector=message.sector,
        industry=message.industry,
        learned=tuple(message.learned),
        assumed=tuple(message.assumed),
    )


def batches_to(
    bars: Sequence[Bar], instruments: Iterable[Instrument], mode: BarMode, size: int
) -> list[pb.PublishBarsRequest]:
    """Return batches of at most `size` bars; the instruments are in the first."""
    batches = [
        pb.PublishBarsRequest(
            bars=bars_to(bars[first : first + size], first=first), mode=enum_to(pb.BarMode, mode)
        )
        for first in range(0, max(1, len(bars)), size)
    ]
    batches[0].instruments.extend(instrument_to(item) for item in instruments)
    return batches


def report_from(receipt: pb.PublishBarsResponse, first: int = 0) -> PublishReport:
    """Return the report of a batch whose first bar is number `first` of all."""
    return PublishReport(
        stored=receipt.stored,
        duplicates=receipt.duplicates,
        halted=receipt.halted,
        provisional=receipt.provisional,
        rejected=receipt.rejected,
        rejections=tuple(
            Rejection(index=first + item.index, symbol=item.symbol, error=error_from(item.problem))
            for item in receipt.rejections
        ),
        replaced=receipt.replaced,
    )


def merged(reports: Sequence[PublishReport]) -> PublishReport:
    """Return one report of all batches."""
    counts = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("stored", "duplicates", "halted", "provisional", "rejected", "replaced")
    }
    return PublishReport(**counts, rejections=tuple(item for report in reports for item in report.rejections))
