"""The asyncio client: the same methods as `Client`, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc
from numpy.typing import ArrayLike

from glasstape import _requests
from glasstape._aio_stream import AsyncSignalStream
from glasstape._convert.common import member
from glasstape._convert.explanation import explanations_from
from glasstape._convert.health import CHECK, UNREACHABLE, health_from, request_of
from glasstape._convert.inference import model_from, prediction_from
from glasstape._convert.market import bar_from, instrument_from, report_from
from glasstape._convert.signals import event_from, track_records_from
from glasstape._options import CHANNEL_OPTIONS, MAX_ITEMS, Tls, credentials_metadata
from glasstape._resume import StreamState
from glasstape._retry import Attempts
from glasstape.errors import from_rpc
from glasstape.types.enums import (
    Baseline,
    Delivery,
    Direction,
    EventKind,
    Method,
    QualityLevel,
    Score,
    Start,
    TrackRecordGroup,
)
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Health, Model, Prediction
from glasstape.types.market import Bar, Instrument, PublishReport
from glasstape.types.signals import Event, StreamMessage, TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb


class AsyncClient:
    """A connection to a Glasstape server, for one event loop. Methods and arguments are those of `Client`.

    Args:
        address: "host:port".
        timeout: seconds that a call may take, streams apart.
        tls: certificates; None connects in plaintext.
        token: bearer token sent with every call; beyond this machine it needs `tls`.
    """

    def __init__(
        self, address: str, *, timeout: float = 10.0, tls: Tls | None = None, token: str | None = None
    ) -> None:
        self._metadata = credentials_metadata(token, tls, address)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, tls.credentials(), CHANNEL_OPTIONS)
        self._timeout = timeout
        self._inference: Any = inference_pb2_grpc.InferenceServiceStub(self._channel)
        self._market: Any = market_pb2_grpc.MarketServiceStub(self._channel)
        self._signals: Any = signals_pb2_grpc.SignalServiceStub(self._channel)

    async def close(self) -> None:
        """Close the connection; open streams end."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def predict(
        self,
        *,
        windows: ArrayLike | None = None,
        bars: Sequence[Sequence[Bar]] | None = None,
        symbols: Sequence[str] | None = None,
        signals: Sequence[int] | None = None,
        model: str = "",
    ) -> list[Prediction]:
        """See `Client.predict`."""
        request = _requests.predict(windows, bars, symbols, signals, model)
        response = await self._call(self._inference.Predict, request)
        return [prediction_from(item) for item in response.predictions]

    async def explain(
        self,
        *,
        windows: ArrayLike | None = None,
        bars: Sequence[Sequence[Bar]] | None = None,
        symbols: Sequence[str] | None = None,
        signals: Sequence[int] | None = None,
        model: str = "",
        method: Method | str = Method.GRADIENT,
        score: Score | str = Score.MARGIN,
        target: Direction | str | None = None,
        foil: Direction | str | None = None,
        baseline: Baseline | str | None = None,
        samples: int = 0,
        seed: int = 0,
        quality: QualityLevel | str = QualityLevel.FAST,
        baseline_windows: ArrayLike | None = None,
        background: ArrayLike | None = None,
    ) -> list[Explanation]:
        """See `Client.explain`."""
        request = _requests.explain(
            windows, bars, symbols, signals, model=model, method=method, score=score, target=target,
            foil=foil, baseline=baseline, samples=samples, seed=seed, quality=quality,
            baseline_windows=baseline_windows, background=background,
        )  # fmt: skip
        return explanations_from(await self._call(self._inference.Explain, request))

    async def model(self, name: str = "") -> Model:
        """See `Client.model`."""
        return model_from((await self._call(self._inference.GetModel, ipb.GetModelRequest(model=name))).model)

    async def models(self) -> list[Model]:
        """See `Client.models`."""
        response = await self._call(self._inference.ListModels, ipb.ListModelsRequest())
        return [model_from(item) for item in response.models]

    async def publish_bars(
        self, bars: Sequence[Bar], *, instruments: Iterable[Instrument] = (), backfill: bool = False
    ) -> PublishReport:
        """See `Client.publish_bars`."""
        requests = _requests.publish(bars, instruments, backfill, MAX_ITEMS)
        attempts = Attempts(self._timeout * len(requests))
        while True:
            try:
                call = self._market.PublishBars(
                    iter(requests), timeout=attempts.timeout, metadata=self._metadata
                )
                return report_from([response async for response in call], MAX_ITEMS)
            except grpc.aio.AioRpcError as error:
                await asyncio.sleep(attempts.delay_after(error))

    async def bars(
        self,
        symbol: str,
        interval: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Bar]:
        """See `Client.bars`."""
        request = _requests.list_bars(symbol, interval, start, end)
        return [bar_from(b) async for page in self._pages(self._market.ListBars, request) for b in page.bars]

    async def instruments(self) -> list[Instrument]:
        """See `Client.instruments`."""
        pages = self._pages(self._market.ListInstruments, mpb.ListInstrumentsRequest())
        return [instrument_from(item) async for page in pages for item in page.instruments]

    def signals(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Iterable[EventKind | str] = (),
        min_confidence: float = 0.0,
        start: Start | str = Start.SNAPSHOT,
        resume_token: bytes = b"",
        delivery: Delivery | str = Delivery.CONFLATED,
        conflation_interval: timedelta | float = 0.1,
        heartbeat_interval: timedelta | float = 1.0,
        heatmap_method: Method | str | None = None,
        on_notice: Callable[[StreamMessage], None] | None = None,
    ) -> AsyncSignalStream:
        """See `Client.signals`; iterate with `async for`."""
        request = _requests.signals(
            symbols, kinds, min_confidence=min_confidence, start=start, resume_token=resume_token,
            delivery=delivery, conflation_interval=conflation_interval,
            heartbeat_interval=heartbeat_interval, heatmap_method=heatmap_method,
        )  # fmt: skip
        method = member(Method, heatmap_method or Method.UNSPECIFIED, "heatmap_method")
        follow = partial(self._signals.Signals, metadata=self._metadata)
        return AsyncSignalStream(follow, StreamState(request, method), on_notice)

    async def history(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Iterable[EventKind | str] = (),
        min_confidence: float = 0.0,
        start_sequence: int = 0,
        end_sequence: int = 0,
        descending: bool = False,
    ) -> AsyncIterator[Event]:
        """See `Client.history`; iterate with `async for`."""
        request = _requests.list_signals(
            symbols, kinds, min_confidence=min_confidence, start_sequence=start_sequence,
            end_sequence=end_sequence, descending=descending,
        )  # fmt: skip
        async for page in self._pages(self._signals.ListSignals, request):
            for event in page.events:
                yield event_from(event)

    async def track_record(
        self,
        *,
        model: str = "",
        symbols: Sequence[str] = (),
        exclude_abstained: bool = False,
        group_by: Iterable[TrackRecordGroup | str] = (),
        cost: float = 0.0,
    ) -> TrackRecords:
        """See `Client.track_record`."""
        request = _requests.track_record(
            model, symbols, exclude_abstained=exclude_abstained, group_by=group_by, cost=cost
        )
        return track_records_from(await self._call(self._signals.GetTrackRecord, request))

    async def ready(self) -> bool:
        """See `Client.ready`."""
        return (await self.health()).serving

    async def health(self, service: str = "") -> Health:
        """See `Client.health`."""
        check: Any = self._channel.unary_unary(CHECK)
        call = check(request_of(service), timeout=self._timeout, metadata=self._metadata)
        try:
            response = await call
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return Health(serving=False, reasons=(UNREACHABLE,))
            raise from_rpc(error) from None
        return health_from(response, await call.trailing_metadata())

    async def _call(self, method: Callable[..., Any], request: object) -> Any:
        attempts = Attempts(self._timeout)
        while True:
            try:
                return await method(request, timeout=attempts.timeout, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                await asyncio.sleep(attempts.delay_after(error))

    async def _pages(self, method: Callable[..., Any], request: Any) -> AsyncIterator[Any]:
        while True:
            page = await self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
