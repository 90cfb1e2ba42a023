"""Bars and instruments."""

from collections.abc import Iterable, Sequence
from typing import Any

from glasstape._convert.common import enum_to, error_from, time_from, time_to
from glasstape._convert.values import flag, instances, texts
from glasstape._scalars import MAX_UINT32, integer, number, text
from glasstape.types.enums import BarMode
from glasstape.types.market import Bar, Instrument, PublishReport, Rejection
from glasstape.v1 import market_pb2 as pb

_NUMBERS = ("open", "high", "low", "close", "volume")
_TEXTS = ("symbol", "name", "local_name", "exchange", "time_zone", "currency", "sector", "industry")


def bar_to(bar: Bar, field: str = "bar") -> pb.Bar:
    """Return the message of a bar, without `halted`, which only servers set; `field` is its path in the request.

    Raises:
        InvalidRequestError: a field has a value of another kind, such as None or NaN, or a close time has no time zone.
    """
    numbers: dict[str, Any] = {name: number(getattr(bar, name), f"{field}.{name}") for name in _NUMBERS}
    return pb.Bar(
        symbol=text(bar.symbol, f"{field}.symbol"),
        interval=text(bar.interval, f"{field}.interval"),
        close_time=time_to(bar.close_time, f"{field}.close_time"),
        provisional=flag(bar.provisional, f"{field}.provisional"),
        **numbers,
    )


def bars_to(bars: Iterable[Bar], field: str = "bars", first: int = 0) -> list[pb.Bar]:
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


def instrument_to(instrument: Instrument, field: str = "instrument") -> pb.Instrument:
    """Return the message of an instrument; `field` is its path in the request.

    Raises:
        InvalidRequestError: a field has a value of another kind.
    """
    fields: dict[str, Any] = {name: text(getattr(instrument, name), f"{field}.{name}") for name in _TEXTS}
    message = pb.Instrument(**fields)
    if instrument.tick_size is not None:
        message.tick_size = number(instrument.tick_size, f"{field}.tick_size")
    if instrument.price_limit is not None:
        message.price_limit = number(instrument.price_limit, f"{field}.price_limit")
    if instrument.price_decimals is not None:
        message.price_decimals = integer(instrument.price_decimals, f"{field}.price_decimals", MAX_UINT32)
    message.learned.extend(texts(instrument.learned, f"{field}.learned", "fields"))
    message.assumed.extend(texts(instrument.assumed, f"{field}.assumed", "fields"))
    return message


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
    checked: list[Bar] = instances(bars, Bar, "bars")
    batches = [
        pb.PublishBarsRequest(
            bars=bars_to(checked[first : first + size], first=first), mode=enum_to(pb.BarMode, mode)
        )
        for first in range(0, max(1, len(checked)), size)
    ]
    described: list[Instrument] = instances(instruments, Instrument, "instruments")
    batches[0].instruments.extend(
        instrument_to(item, f"instruments[{position}]") for position, item in enumerate(described)
    )
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
