"""Bars and instruments."""

import math

from glasstape.v1 import market_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from glasstape_server.domain.bars import Bar, Instrument
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.times import SECOND


def timestamp(microseconds: int) -> Timestamp:
    """Return a wire time from microseconds since 1970, UTC."""
    seconds, rest = divmod(microseconds, SECOND)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def microseconds(time: Timestamp) -> int:
    """Return microseconds since 1970 of a wire time, truncated; -1 if it is not valid."""
    if not 0 <= time.nanos < 1_000_000_000:
        return -1
    return time.seconds * SECOND + time.nanos // 1000


def time_from(field: str, time: Timestamp) -> int:
    """Return microseconds since 1970 of a wire time, truncated.

    Raises:
        InvalidArgument: its nanoseconds are out of range.
    """
    if not 0 <= time.nanos < 1_000_000_000:
        raise InvalidArgument.field(f"{field}.nanos", f"must be 0-999,999,999, is {time.nanos:,}")
    return microseconds(time)


def bar_from(message: pb.Bar, *, provisional: bool = False) -> Bar:
    """Return a bar as it was sent, not yet checked; NaN stands for a number that is not set."""
    return Bar(
        message.symbol,
        message.interval,
        microseconds(message.close_time),
        message.open if message.HasField("open") else math.nan,
        message.high if message.HasField("high") else math.nan,
        message.low if message.HasField("low") else math.nan,
        message.close,
        message.volume if message.HasField("volume") else math.nan,
        provisional or message.provisional,
    )


def bar_to(bar: Bar) -> pb.Bar:
    """Return a bar for the wire."""
    return pb.Bar(
        symbol=bar.symbol,
        interval=bar.interval,
        close_time=timestamp(bar.close_time),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        provisional=bar.provisional,
        halted=bar.halted,
    )


def instrument_from(message: pb.Instrument) -> Instrument:
    """Return what a publisher states about an instrument, not yet checked."""
    unstated = {*message.learned, *message.assumed}
    has_decimals = message.HasField("price_decimals") and "price_decimals" not in unstated
    return Instrument(
        symbol=message.symbol,
        name=message.name,
        local_name=message.local_name,
        exchange=message.exchange,
        time_zone="" if "time_zone" in unstated else message.time_zone,
        currency=message.currency,
        tick_size=message.tick_size if message.HasField("tick_size") else None,
        price_decimals=message.price_decimals if has_decimals else None,
        price_limit=message.price_limit if message.HasField("price_limit") else None,
        sector=message.sector,
        industry=message.industry,
    )


def instrument_to(instrument: Instrument) -> pb.Instrument:
    """Return an instrument for the wire."""
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
