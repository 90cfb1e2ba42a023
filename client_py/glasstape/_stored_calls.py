"""The calls that list and correct what is stored, built from the arguments of both clients."""

from datetime import datetime

from glasstape._call import Call, checked
from glasstape._calls import LARGEST_PAGE, MARKET
from glasstape._convert.common import time_to
from glasstape._convert.corrections import correction_from, series_page_from
from glasstape._scalars import text
from glasstape.types.market import Correction, StoredSeries
from glasstape.v1 import market_pb2 as pb


@checked
def list_series(symbol: str) -> Call[list[StoredSeries]]:
    """Return the ListSeries call for the first page."""
    request = pb.ListSeriesRequest(symbol=text(symbol, "symbol"))
    return Call(MARKET + "ListSeries", request, pb.ListSeriesResponse, series_page_from)


@checked
def remove_bars(symbol: str, interval: str, start: datetime, end: datetime) -> Call[int]:
    """Return the RemoveBars call."""
    request = pb.RemoveBarsRequest(
        symbol=text(symbol, "symbol"),
        interval=text(interval, "interval"),
        start_time=time_to(start, "start"),
        end_time=time_to(end, "end"),
    )
    return Call(MARKET + "RemoveBars", request, pb.RemoveBarsResponse, lambda r: int(r.removed))


@checked
def rename_symbol(symbol: str, new_symbol: str) -> Call[int]:
    """Return the RenameSymbol call."""
    request = pb.RenameSymbolRequest(symbol=text(symbol, "symbol"), new_symbol=text(new_symbol, "new_symbol"))
    return Call(MARKET + "RenameSymbol", request, pb.RenameSymbolResponse, lambda r: int(r.moved))


@checked
def list_corrections(symbol: str) -> Call[list[Correction]]:
    """Return the ListCorrections call for the first page."""
    request = pb.ListCorrectionsRequest(symbol=text(symbol, "symbol"), page_size=LARGEST_PAGE)
    return Call(
        MARKET + "ListCorrections",
        request,
        pb.ListCorrectionsResponse,
        lambda r: [correction_from(item) for item in r.corrections],
    )
