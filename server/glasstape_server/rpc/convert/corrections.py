"""Stored series and corrections of stored bars."""

from glasstape.v1 import market_pb2 as pb

from glasstape_server.market.corrections import Correction
from glasstape_server.market.stored_series import SeriesCount, SeriesEnd
from glasstape_server.rpc.convert.market import bar_to, timestamp


def series_to(end: SeriesEnd, count: SeriesCount) -> pb.StoredSeries:
    """Return a series for the wire."""
    return pb.StoredSeries(
        symbol=end.key[0],
        interval=end.key[1],
        bar_count=count.bars,
        first_close_time=timestamp(count.first_close),
        last_close_time=timestamp(end.last_close),
        retired=end.retired,
    )


def correction_to(correction: Correction) -> pb.Correction:
    """Return a correction for the wire."""
    return pb.Correction(
        kind=pb.CorrectionKind.ValueType(correction.kind),
        correct_time=timestamp(correction.time),
        principal=correction.principal,
        symbol=correction.symbol,
        bar=None if correction.bar is None else bar_to(correction.bar),
        new_symbol=correction.new_symbol,
    )
