"""The synchronous client."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from grpc.experimental import ChannelOptions
from numpy.typing import ArrayLike

from glasstape import _requests
from glasstape._convert.common import member
from glasstape._convert.explanation import explanations_from
from glasstape._convert.health import CHECK, UNREACHABLE, health_from, request_of
from glasstape._convert.inference import model_from, prediction_from
from glasstape._convert.market import bar_from, instrument_from, report_from
from glasstape._convert.signals import event_from, track_records_from
from glasstape._options import CHANNEL_OPTIONS, MAX_ITEMS, Tls, credentials_metadata
from glasstape._resume import StreamState
from glasstape._retry import Attempts
from glasstape._stream import SignalStream
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

T = TypeVar("T")


class Client:
    """A connection to a Glasstape server. Threads may share it; close it or use it in a `with` block.

    Args:
        address: "host:port".
        timeout: seconds that a call may take, streams apart.
        tls: certificates; None connects in plaintext.
        token: bearer token sent with every call; beyond this machine it needs `tls`.

    Raises:
        InvalidRequestError: the token may not be sent.
    """

    def __init__(
        self, address: str, *, timeout: float = 10.0, tls: Tls | None = None, token: str | None = None
    ) -> None:
        self._metadata = credentials_metadata(token, tls, address)
        # Reads a stream in the calling thread: several times the throughput of a helper thread.
        options: list[tuple[str, Any]] = [
            *CHANNEL_OPTIONS,
            (ChannelOptions.SingleThreadedUnaryStream, 1),
        ]
        if tls is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, tls.credentials(), options)
        self._timeout = timeout
        self._inference = inference_pb2_grpc.InferenceServiceStub(self._channel)
        self._market = market_pb2_grpc.MarketServiceStub(self._channel)
        self._signals = signals_pb2_grpc.SignalServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection; open streams end."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def predict(
        self,
        *,
        windows: ArrayLike | None = None,
        bars: Sequence[Sequence[Bar]] | None = None,
        symbols: Sequence[str] | None = None,
        signals: Sequence[int] | None = None,
        model: str = "",
    ) -> list[Prediction]:
        """Predict from one of four sources, in its order.

        Args:
            windows: float32 (time, feature) or (n, time, feature), in the features' own units.
            bars: for each prediction the bars of one symbol, at least `Model.min_bars`.
            symbols: the server's own latest bars.
            signals: sequences of past signals: the confidences of that moment, bit for bit.
            model: "name" or "name@version"; "" is the active model. Not with `signals`.

        Raises:
            GlasstapeError: the call failed; single bad items come back as `Prediction.error`.
        """
        request = _requests.predict(windows, bars, symbols, signals, model)
        response = self._call(self._inference.Predict, request)
        return [prediction_from(item) for item in response.predictions]

    def explain(
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
        """Predict and explain; sources and `model` as in `predict`.

        Args:
            method: how the map is computed.
            score: the number that is explained.
            target: class to explain; None: each row's own winner.
            foil: class to compare with, for MARGIN; None: the highest other class.
            baseline: what absent means; None: the method's own.
            samples: steps or draws of a method that takes them; 0: its own number.
            seed: seed of methods that draw random numbers.
            quality: how much checking; FULL holds the map against other methods.
            baseline_windows: baselines of your own, one (time, feature) or one for each item.
            background: for EXPECTED_GRADIENTS, (n, time, feature); None: the model's own.

        Raises:
            GlasstapeError: the call failed; single bad items come back as `prediction.error`.
        """
        request = _requests.explain(
            windows, bars, symbols, signals, model=model, method=method, score=score, target=target,
            foil=foil, baseline=baseline, samples=samples, seed=seed, quality=quality,
            baseline_windows=baseline_windows, background=background,
        )  # fmt: skip
        return explanations_from(self._call(self._inference.Explain, request))

    def model(self, name: str = "") -> Model:
        """One model: "name", "name@version" or "" for the active one."""
        return model_from(self._call(self._inference.GetModel, ipb.GetModelRequest(model=name)).model)

    def models(self) -> list[Model]:
        """Every model version on the server, refused ones too."""
        response = self._call(self._inference.ListModels, ipb.ListModelsRequest())
        return [model_from(item) for item in response.models]

    def publish_bars(
        self, bars: Sequence[Bar], *, instruments: Iterable[Instrument] = (), backfill: bool = False
    ) -> PublishReport:
        """Store bars; on return everything reported as stored is on the server's disk.

        Publishing the same bars again is harmless, so a failed call may be repeated.

        Args:
            bars: any symbols and intervals; those that close together belong into one call.
            instruments: descriptions of symbols.
            backfill: load history: accept older bars and make no signals.
        """
        requests = _requests.publish(bars, instruments, backfill, MAX_ITEMS)
        attempts = Attempts(self._timeout * len(requests))
        while True:
            try:
                calls = self._market.PublishBars(
                    iter(requests), timeout=attempts.timeout, metadata=self._metadata
                )
                responses = list(calls)
                return report_from(responses, MAX_ITEMS)
            except grpc.RpcError as error:
                time.sleep(attempts.delay_after(error))

    def bars(
        self,
        symbol: str,
        interval: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Bar]:
        """Stored bars of a symbol, oldest first, between two close times (both included)."""
        request = _requests.list_bars(symbol, interval, start, end)
        return [bar_from(b) for page in self._pages(self._market.ListBars, request) for b in page.bars]

    def instruments(self) -> list[Instrument]:
        """Every instrument that the server knows, by symbol."""
        pages = self._pages(self._market.ListInstruments, mpb.ListInstrumentsRequest())
        return [instrument_from(item) for page in pages for item in page.instruments]

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
    ) -> SignalStream:
        """Follow the feed: iterate the events, or `messages()` for everything a stream says.

        The stream reconnects by itself and goes on behind the last event, without gaps or repetitions;
        what it cannot help is told as `Gap`, `Opened(result=RESET)` and `Disconnected`.

        Args:
            symbols: only these; none: all.
            kinds: only these; none: all.
            min_confidence: least winning probability of confidences and buys, 0-1.
            start: where to begin without a token.
            resume_token: `SignalStream.resume_token` of an earlier stream; overrides `start`.
            delivery: how confidences reach a slow reader.
            conflation_interval: least seconds between two batches, 0-60.
            heartbeat_interval: longest silence in seconds, 0.1-60.
            heatmap_method: send heat maps too (they come through `messages()`).
            on_notice: called with every message that is not a batch of events while events are iterated.
        """
        request = _requests.signals(
            symbols, kinds, min_confidence=min_confidence, start=start, resume_token=resume_token,
            delivery=delivery, conflation_interval=conflation_interval,
            heartbeat_interval=heartbeat_interval, heatmap_method=heatmap_method,
        )  # fmt: skip
        method = member(Method, heatmap_method or Method.UNSPECIFIED, "heatmap_method")
        follow = partial(self._signals.Signals, metadata=self._metadata)
        return SignalStream(follow, StreamState(request, method), on_notice)

    def history(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Iterable[EventKind | str] = (),
        min_confidence: float = 0.0,
        start_sequence: int = 0,
        end_sequence: int = 0,
        descending: bool = False,
    ) -> Iterator[Event]:
        """Journalled events, oldest first or newest first, page by page as they are taken."""
        request = _requests.list_signals(
            symbols, kinds, min_confidence=min_confidence, start_sequence=start_sequence,
            end_sequence=end_sequence, descending=descending,
        )  # fmt: skip
        for page in self._pages(self._signals.ListSignals, request):
            yield from (event_from(event) for event in page.events)

    def track_record(
        self,
        *,
        model: str = "",
        symbols: Sequence[str] = (),
        exclude_abstained: bool = False,
        group_by: Iterable[TrackRecordGroup | str] = (),
        cost: float = 0.0,
    ) -> TrackRecords:
        """How signals turned out, against base rates, with 95 % intervals.

        Args:
            model: only this one. Default: all.
            symbols: only these. Default: all.
            exclude_abstained: leave abstained signals out.
            group_by: split by "model", "symbol" and "confidence", besides the predicted class.
            cost: of entering or leaving a position, as a share of the price, 0-0.1.
        """
        request = _requests.track_record(
            model, symbols, exclude_abstained=exclude_abstained, group_by=group_by, cost=cost
        )
        return track_records_from(self._call(self._signals.GetTrackRecord, request))

    def ready(self) -> bool:
        """Whether the server says SERVING (grpc.health.v1)."""
        return self.health().serving

    def health(self, service: str = "") -> Health:
        """How the server, one of its services or a model is (grpc.health.v1); unreachable: not serving.

        Args:
            service: such as "glasstape.v1.SignalService", or a model's name; empty: the server as a whole.

        Raises:
            NotFoundError: there is no such service.
        """
        check: Any = self._channel.unary_unary(CHECK)
        try:
            response, call = check.with_call(
                request_of(service), timeout=self._timeout, metadata=self._metadata
            )
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return Health(serving=False, reasons=(UNREACHABLE,))
            raise from_rpc(error) from None
        return health_from(response, call.trailing_metadata())

    def _call(self, method: Callable[..., T], request: object) -> T:
        attempts = Attempts(self._timeout)
        while True:
            try:
                return method(request, timeout=attempts.timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                time.sleep(attempts.delay_after(error))

    def _pages(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        while True:
            page = self._call(method, request)
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token
