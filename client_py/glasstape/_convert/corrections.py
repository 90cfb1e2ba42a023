"""Stored series and corrections of stored bars."""

from glasstape._convert.common import enum_from, enum_to, time_from, time_to
from glasstape._convert.market import bar_from, bar_to
from glasstape.types.enums import CorrectionKind
from glasstape.types.market import Correction, StoredSeries
from glasstape.v1 import market_pb2 as pb


def series_page_from(response: pb.ListSeriesResponse) -> list[StoredSeries]:
    """Return the series of a page."""
    now = time_from(response.market_time)
    return [
        StoredSeries(
            symbol=message.symbol,
            interval=message.interval,
            bar_count=message.bar_count,
            first_close=time_from(message.first_close_time),
            last_close=time_from(message.last_close_time),
            age=now - time_from(message.last_close_time),
            retired=message.retired,
        )
        for message in response.series
    ]


def correction_from(message: pb.Correction) -> Correction:
    """Return a correction."""
    return Correction(
        kind=enum_from(pb.CorrectionKind, CorrectionKind, message.kind),
        time=time_from(message.correct_time),
        principal=message.principal,
        symbol=message.symbol,
        bar=bar_from(message.bar) if message.HasField("bar") else None,
        new_symbol=message.new_symbol,
    )


def correction_to(correction: Correction) -> pb.Correction:
    """Return the message of a correction."""
    return pb.Correction(
        kind=enum_to(pb.CorrectionKind, correction.kind),
        correct_time=time_to(correction.time, "time"),
        principal=correction.principal,
        symbol=correction.symbol,
        bar=None if correction.bar is None else bar_to(correction.bar),
        new_symbol=correction.new_symbol,
    )
