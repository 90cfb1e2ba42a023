"""Bars and instruments."""

from collections.abc import Iterable, Sequence

from glasstape._convert.common import time_from, time_to
from glasstape.errors import from_status
from glasstape.types.market import Bar, Instrument, PublishReport, Rejection
from glasstape.v1 import market_pb2 as pb


def bar_to(bar: Bar) -> pb.Bar:
    """A bar for the wire."""
    return pb.Bar(
        symbol=bar.symbol,
        interval=bar.interval,
        close_time=time_to(bar.close_time, "bars.close_time"),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        provisional=bar.provisional,
    )


def bar_from(message: pb.Bar) -> Bar:
    """A bar from the wire."""
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
    """An instrument for the wire."""
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
    )


def instrument_from(message: pb.Instrument) -> Instrument:
    """An instrument from the wire."""
    return Instrument(
        symbol=message.symbol,
        name=message.name,
        local_name=message.local_name,
        exchange=message.exchange,
        time_zone=message.time_zone,
        currency=message.currency,
        tick_size=message.tick_size if message.HasField("tick_size") else None,
        price_decimals=message.price_decimals if message.HasField("price_decimals") else None,
        price_limit=message.price_limit if message.HasField("price_limit") else None,
    )


def publish_requests(
    bars: Sequence[Bar], instruments: Iterable[Instrument], backfill: bool, batch: int
) -> list[pb.PublishBarsRequest]:
    """Requests of at most `batch` bars; the instruments go with the first."""
    requests = []
    for number, first in enumerate(range(0, max(1, len(bars)), batch)):
        part = bars[first : first + batch]
        described = [instrument_to(item) for item in instruments] if number == 0 else []
        requests.append(
            pb.PublishBarsRequest(
                batch_id=number,
                bars=[bar_to(bar) for bar in part],
                instruments=described,
                backfill=backfill,
            )
        )
    return requests


def report_from(responses: Sequence[pb.PublishBarsResponse], batch: int) -> PublishReport:
    """One report over all requests; rejections carry positions in the whole."""
    return PublishReport(
        stored=sum(r.stored for r in responses),
        duplicates=sum(r.duplicates for r in responses),
        halted=sum(r.halted for r in responses),
        provisional=sum(r.provisional for r in responses),
        rejected=sum(r.rejected for r in responses),
        rejections=tuple(
            Rejection(
                index=r.batch_id * batch + item.index,
                symbol=item.symbol,
                error=from_status(item.status),
            )
            for r in responses
            for item in r.rejections
        ),
    )
