"""MarketService: bars in, bars out."""

import base64
from bisect import bisect_right
from collections.abc import AsyncIterator

import grpc
from glasstape.symbols import is_symbol, reason_invalid
from glasstape.v1 import market_pb2 as pb
from glasstape.v1 import market_pb2_grpc as pb_grpc

from glasstape_server.access.quotas import Quotas
from glasstape_server.domain.errors import GlasstapeError, InvalidArgument
from glasstape_server.domain.limits import MAX_BATCH_BARS, MAX_BATCH_INSTRUMENTS, MAX_REJECTIONS, MAX_TIME
from glasstape_server.domain.times import INTERVALS
from glasstape_server.market.draft import Batch, BatchMode, Report
from glasstape_server.market.ingest import Ingest
from glasstape_server.rpc.convert.market import (
    bar_from,
    bar_to,
    instrument_from,
    instrument_to,
    time_from,
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
        return _report_to(await self._ingest.publish(_batch_from(request)))

    async def StreamBars(
        self, requests: AsyncIterator[pb.StreamBarsRequest], context: Context
    ) -> AsyncIterator[pb.StreamBarsResponse]:
        """See market.proto. Each batch is answered in its turn, once it is durable."""
        try:
            with self._quotas.stream(caller.get()):
                async for request in requests:
                    report = await self._ingest.publish(_batch_from(request.batch))
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
        if rule := reason_invalid(request.symbol):
            raise InvalidArgument.field("symbol", rule)
        if request.interval not in INTERVALS:
            rule = f"must be one of {' '.join(INTERVALS)}, is {request.interval[:16]!r}"
            raise InvalidArgument.field("interval", rule)
        size = page_size(request.page_size)
        start = max(0, time_from("start_time", request.start_time)) if request.HasField("start_time") else 0
        end = MAX_TIME
        if request.HasField("end_time"):
            end = min(MAX_TIME, time_from("end_time", request.end_time))
        if request.page_token:
            start = max(start, _after(request.page_token))
        key = (request.symbol, request.interval)
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


def _batch_from(request: pb.PublishBarsRequest) -> Batch:
    """Return a batch. Its size is checked before it is converted, since this runs on the event loop.

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
    )


def _after(token: str) -> int:
    try:
        return min(int(base64.urlsafe_b64decode(token[:64])), MAX_TIME + 1)
    except ValueError:
        raise InvalidArgument.field("page_token", "must be a next_page_token of this service") from None


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
