"""MarketService: bars in, bars out."""

import asyncio
import base64
from bisect import bisect_right
from collections.abc import AsyncIterator

import grpc
from glasstape.symbols import is_symbol, reason_invalid
from glasstape.v1 import market_pb2 as pb
from glasstape.v1 import market_pb2_grpc as pb_grpc

from glasstape_server.access.quotas import Quotas
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_BATCH_BARS, MAX_BATCH_INSTRUMENTS, MAX_REJECTIONS, MAX_TIME
from glasstape_server.domain.times import INTERVALS, SECOND
from glasstape_server.market.draft import Batch, BatchMode, Report
from glasstape_server.market.ingest import Ingest
from glasstape_server.market.stored_series import count_bars, series_ends
from glasstape_server.rpc.convert.corrections import correction_to, series_to
from glasstape_server.rpc.convert.market import (
    bar_from,
    bar_to,
    instrument_from,
    instrument_to,
    time_from,
    timestamp,
)
from glasstape_server.rpc.convert.requests import enum_from
from glasstape_server.rpc.handlers import Context, abort, abort_internal, caller, page_size, translate_errors
from glasstape_server.rpc.status import problem_of


class MarketServicer(pb_grpc.MarketServiceServicer):
    """The gRPC adapter of the market."""

    def __init__(self, ingest: Ingest, quotas: Quotas) -> None:
        self._ingest = ingest
        self._quotas = quotas

    @translate_errors
    async def PublishBars(self, request: pb.PublishBarsRequest, context: Context) -> pb.PublishBarsResponse:
        """See market.proto."""
        return _report_to(await self._ingest.publish(_batch_from(request, caller.get().name)))

    async def StreamBars(
        self, requests: AsyncIterator[pb.StreamBarsRequest], context: Context
    ) -> AsyncIterator[pb.StreamBarsResponse]:
        """See market.proto. Each batch is answered in its turn, once it is durable."""
        try:
            with self._quotas.stream(caller.get()):
                async for request in requests:
                    report = await self._ingest.publish(_batch_from(request.batch, caller.get().name))
                    yield pb.StreamBarsResponse(batch_id=request.batch_id, receipt=_report_to(report))
        except GlasstapeError as error:
            await abort(context, error)
        except (grpc.aio.AbortError, grpc.RpcError):
            raise
        except Exception as error:
            await abort_internal(context, error, "StreamBars")

    @translate_errors
    async def ListBars(self, request: pb.ListBarsRequest, context: Context) -> pb.ListBarsResponse:
        """See market.proto."""
        key = _series_key(request.symbol, request.interval)
        size = page_size(request.page_size)
        start = max(0, time_from("start_time", request.start_time)) if request.HasField("start_time") else 0
        end = MAX_TIME
        if request.HasField("end_time"):
            end = min(MAX_TIME, time_from("end_time", request.end_time))
        if request.page_token:
            start = max(start, _after(request.page_token))
        bars = []
        if start <= end <= MAX_TIME and start <= MAX_TIME:
            bars = await self._ingest.run_on_market_thread(
                self._ingest.store.list_bars, key, start, end, size + 1
            )
        response = pb.ListBarsResponse(bars=[bar_to(bar) for bar in bars[:size]])
        if len(bars) > size:
            response.next_page_token = base64.urlsafe_b64encode(
                str(bars[size - 1].close_time + 1).encode()
            ).decode()
        return response

    @translate_errors
    async def ListInstruments(
        self, request: pb.ListInstrumentsRequest, context: Context
    ) -> pb.ListInstrumentsResponse:
        """See market.proto."""
        size, after = page_size(request.page_size), request.page_token  # every read of the field decodes it
        if after and not is_symbol(after):
            rule = f"must be the next_page_token of a response, is {after[:64]!r}"
            raise InvalidArgument.field("page_token", rule)
        store = self._ingest.store
        symbols = await self._ingest.run_on_market_thread(store.symbols)
        symbols = symbols[bisect_right(symbols, after) :]
        found = [instrument_to(store.instruments[symbol]) for symbol in symbols[:size]]
        more = len(symbols) > size
        return pb.ListInstrumentsResponse(
            instruments=found, next_page_token=symbols[size - 1] if more else ""
        )

    @translate_errors
    async def ListSeries(self, request: pb.ListSeriesRequest, context: Context) -> pb.ListSeriesResponse:
        """See market.proto."""
        if request.symbol:
            _check_symbol("symbol", request.symbol)
        size, after = page_size(request.page_size), _key_from(request.page_token)
        store = self._ingest.store
        ends = await self._ingest.run_on_market_thread(series_ends, store, request.symbol, after, size + 1)
        counts = await asyncio.to_thread(count_bars, store.path, [end.key for end in ends[:size]])
        return pb.ListSeriesResponse(
            series=[series_to(*pair) for pair in zip(ends, counts, strict=False)],
            next_page_token=" ".join(ends[size - 1].key) if len(ends) > size else "",
            market_time=timestamp(self._ingest.clock.now()),
        )

    @translate_errors
    async def RemoveBars(self, request: pb.RemoveBarsRequest, context: Context) -> pb.RemoveBarsResponse:
        """See market.proto."""
        key = _series_key(request.symbol, request.interval)
        first, last = (_required_time(request, field) for field in ("start_time", "end_time"))
        if first > last:
            rule = f"must not be after end_time, is {(first - last) / SECOND:g} s after it"
            raise InvalidArgument.field("start_time", rule)
        first, last = max(first, 0), min(last, MAX_TIME)
        return pb.RemoveBarsResponse(
            removed=await self._ingest.remove_bars(key, first, last, caller.get().name)
        )

    @translate_errors
    async def RenameSymbol(
        self, request: pb.RenameSymbolRequest, context: Context
    ) -> pb.RenameSymbolResponse:
        """See market.proto."""
        symbol, new_symbol = request.symbol, request.new_symbol
        _check_symbol("symbol", symbol)
        _check_symbol("new_symbol", new_symbol)
        if new_symbol == symbol:
            raise InvalidArgument.field("new_symbol", f"must be another symbol, is {new_symbol!r}")
        moved = await self._ingest.rename_symbol(symbol, new_symbol, caller.get().name)
        return pb.RenameSymbolResponse(moved=moved)

    @translate_errors
    async def ListCorrections(
        self, request: pb.ListCorrectionsRequest, context: Context
    ) -> pb.ListCorrectionsResponse:
        """See market.proto."""
        if request.symbol:
            _check_symbol("symbol", request.symbol)
        size, after = page_size(request.page_size), _number_from(request.page_token)
        store = self._ingest.store
        found = await self._ingest.run_on_market_thread(
            store.list_corrections, request.symbol, after, size + 1
        )
        return pb.ListCorrectionsResponse(
            corrections=[correction_to(item) for item in found[:size]],
            next_page_token=str(found[size - 1].number) if len(found) > size else "",
        )


def _batch_from(request: pb.PublishBarsRequest, principal: str) -> Batch:
    """Return a batch of a caller. Its size is checked before it is converted, since this runs on the event loop.

    Raises:
        InvalidArgument: too many bars or instruments, or no such mode.
    """
    for field, count, most in (
        ("bars", len(request.bars), MAX_BATCH_BARS),
        ("instruments", len(request.instruments), MAX_BATCH_INSTRUMENTS),
    ):
        if count > most:
            raise InvalidArgument.field(field, f"at most {most} in a batch, has {count}")
    mode = BatchMode(enum_from("mode", request.mode, len(BatchMode)) or BatchMode.FINAL)
    return Batch(
        [bar_from(bar, provisional=mode is BatchMode.PROVISIONAL) for bar in request.bars],
        [instrument_from(item) for item in request.instruments],
        mode,
        principal,
    )


def _check_symbol(field: str, symbol: str) -> None:
    if rule := reason_invalid(symbol):
        raise InvalidArgument.field(field, rule)


def _series_key(symbol: str, interval: str) -> SeriesKey:
    """Return the key of a series that a request names.

    Raises:
        InvalidArgument: no symbol, or no interval.
    """
    _check_symbol("symbol", symbol)
    if interval not in INTERVALS:
        rule = f"must be one of {' '.join(INTERVALS)}, is {interval[:16]!r}"
        raise InvalidArgument.field("interval", rule)
    return (symbol, interval)


def _required_time(request: pb.RemoveBarsRequest, field: str) -> int:
    if not request.HasField(field):  # type: ignore[arg-type]
        raise InvalidArgument.field(field, "must be set, is unset")
    return time_from(field, getattr(request, field))


def _after(token: str) -> int:
    try:
        return min(int(base64.urlsafe_b64decode(token[:64])), MAX_TIME + 1)
    except ValueError:
        raise InvalidArgument.field("page_token", "must be a next_page_token of this service") from None


def _key_from(token: str) -> SeriesKey:
    symbol, _, interval = token.partition(" ")
    if token and not (is_symbol(symbol) and interval in INTERVALS):
        raise InvalidArgument.field("page_token", "must be a next_page_token of this service")
    return (symbol, interval)


def _number_from(token: str) -> int:
    if token and not (token.isdecimal() and token.isascii() and len(token) < 19):
        raise InvalidArgument.field("page_token", "must be a next_page_token of this service")
    return int(token or 0)


def _report_to(report: Report) -> pb.PublishBarsResponse:
    return pb.PublishBarsResponse(
        stored=report.stored,
        duplicates=report.duplicates,
        halted=report.halted,
        provisional=report.provisional,
        replaced=report.replaced,
        rejected=len(report.rejections),
        rejections=[
            pb.BarRejection(index=index, symbol=symbol[:64], problem=problem_of(error))
            for index, symbol, error in report.rejections[:MAX_REJECTIONS]
        ],
    )
