"""A server for your tests: in this process, on a free port, with answers that you script.

    from glasstape import Client
    from glasstape.testing import FakeServer, make_buy

    with FakeServer() as server, Client(server.address) as client:
        server.emit(make_buy("AAPL"))
        assert next(iter(client.signals())).symbol == "AAPL"

It speaks the real contract over a real connection, so what works here works against the server.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from numpy.typing import NDArray

from glasstape._convert.market import bar_from, bar_to
from glasstape._convert.outgoing import confidence_to, event_to, model_to, ref_to
from glasstape._convert.signals import event_from
from glasstape.types.enums import DataState, Direction, Entry, Method, ModelState
from glasstape.types.inference import Confidence, Feature, Model, ModelRef
from glasstape.types.market import Bar
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, Signal
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as spb

MODEL = Model(
    ref=ModelRef(name="fake", version="1", digest="0" * 64, feature_spec_hash="0" * 64),
    state=ModelState.ACTIVE,
    refusal="",
    architecture="fake",
    time_steps=6,
    features=tuple(
        Feature(name=f"feature_{n}", description="", mean=0.0, standard_deviation=1.0) for n in range(8)
    ),
    min_bars=6,
    interval="1d",
    horizon_bars=1,
    entry=Entry.NEXT_CLOSE,
    label_rule="",
    temperature=1.0,
    abstain_threshold=0.4,
    buy_ramp_low=0.33,
    buy_ramp_high=0.5,
    alert_threshold=0.45,
    methods=(Method.GRADIENT,),
    metrics={},
    training_data="",
    seen_until=None,
)
"""The model that a `FakeServer` claims to have."""

_START = datetime(2026, 1, 5, 21, tzinfo=UTC)


def make_confidence(down: float = 0.25, flat: float = 0.25, up: float = 0.5) -> Confidence:
    """Confidences from three probabilities."""
    values = (down, flat, up)
    return Confidence(
        direction=Direction(values.index(max(values))),
        down=down,
        flat=flat,
        up=up,
        abstained=False,
        novelty=0.0,
    )


def make_signal(symbol: str, confidence: Confidence | None = None, close: float = 100.0) -> Signal:
    """A signal of one daily bar."""
    bar = Bar(
        symbol=symbol,
        interval="1d",
        close_time=_START,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=1.0,
    )
    return Signal(
        confidence=confidence or make_confidence(),
        bar=bar,
        reference_close=close,
        previous_session_close=close,
        horizon_bars=1,
        entry=Entry.NEXT_CLOSE,
        expire_time=_START + timedelta(days=2),
        data_state=DataState.LIVE,
        flat_threshold=0.01,
    )


def make_buy(symbol: str, confidence: Confidence | None = None) -> BuyEvent:
    """A buy to `emit`; the server numbers it."""
    return BuyEvent(
        sequence=0,
        symbol=symbol,
        interval="1d",
        bar_close_time=_START,
        publish_time=_START,
        model=MODEL.ref,
        signal=make_signal(symbol, confidence),
        confidence_sequence=0,
    )


def make_confidence_event(symbol: str, confidence: Confidence | None = None) -> ConfidenceEvent:
    """A confidence event to `emit`; the server numbers it."""
    return ConfidenceEvent(
        sequence=0,
        symbol=symbol,
        interval="1d",
        bar_close_time=_START,
        publish_time=_START,
        model=MODEL.ref,
        signal=make_signal(symbol, confidence),
    )


class FakeServer:
    """A scripted server. Use it in a `with` block.

    Set `predict` and `explain` to answer calls; `emit` events for the feed; read `published`.
    """

    def __init__(self) -> None:
        self.predict: Callable[[str, NDArray[np.float32] | None], Confidence] = lambda s, w: make_confidence()
        """Called with the symbol (or "") and the window (or None) of each item."""
        self.explain: Callable[[str, NDArray[np.float32] | None], NDArray[np.float32]] = lambda s, w: np.ones(
            (MODEL.time_steps, len(MODEL.features)), dtype=np.float32
        )
        """Called like `predict`; returns a map (time, feature)."""
        self.published: list[Bar] = []
        """Every bar that was published here."""
        self.epoch = 1
        self._events: list[spb.Event] = []
        self._earliest = 1
        self._connections = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._server = grpc.server(ThreadPoolExecutor(16))
        servicer: Any = _Servicer(self)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, self._server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(servicer, self._server)
        signals_pb2_grpc.add_SignalServiceServicer_to_server(servicer, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    @property
    def address(self) -> str:
        """host:port for a client."""
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.stop(0).wait()

    def emit(self, event: Event) -> int:
        """Journal an event and send it to every stream; returns its sequence."""
        with self._changed:
            sequence = len(self._events) + 1
            self._events.append(event_to(event, sequence))
            self._changed.notify_all()
            return sequence

    def break_streams(self) -> None:
        """End every open stream with UNAVAILABLE, as a dying server would."""
        with self._changed:
            self._connections += 1
            self._changed.notify_all()

    def forget_before(self, sequence: int) -> None:
        """Let tokens before `sequence` answer OUT_OF_RANGE."""
        self._earliest = sequence

    def begin_epoch(self) -> None:
        """Lose history: tokens given out before are answered with RESET."""
        with self._changed:
            self.epoch += 1
        self.break_streams()


class _Servicer:
    """The three services over a `FakeServer`'s script."""

    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake

    def Predict(self, request: ipb.PredictRequest, context: Any) -> ipb.PredictResponse:
        items = _items(request.input)
        return ipb.PredictResponse(predictions=[self._prediction(*item) for item in items])

    def Explain(self, request: ipb.ExplainRequest, context: Any) -> ipb.ExplainResponse:
        made = []
        for item in _items(request.input):
            values = np.asarray(self._fake.explain(*item), dtype="<f4")
            shape = ipb.Shape(time=values.shape[0], features=values.shape[1])
            heatmap = ipb.Heatmap(
                values=values.tobytes(), quantity=ipb.QUANTITY_SENSITIVITY, native_shape=shape, shape=shape
            )
            prediction = self._prediction(*item)
            time, feature = np.unravel_index(np.abs(values).argmax(), values.shape)
            driver = ipb.Driver(
                feature=MODEL.features[feature].name, feature_index=int(feature), time_index=int(time),
                attribution=float(values[time, feature]), span=ipb.Shape(time=1, features=1),
            )  # fmt: skip
            made.append(
                ipb.Explanation(
                    prediction=prediction,
                    heatmap=heatmap,
                    target=prediction.confidence.direction,
                    drivers=[driver],
                )
            )
        method = request.method or ipb.METHOD_GRADIENT
        return ipb.ExplainResponse(explanations=made, method=method, score=request.score or ipb.SCORE_MARGIN)

    def GetModel(self, request: ipb.GetModelRequest, context: Any) -> ipb.GetModelResponse:
        return ipb.GetModelResponse(model=model_to(MODEL))

    def ListModels(self, request: ipb.ListModelsRequest, context: Any) -> ipb.ListModelsResponse:
        return ipb.ListModelsResponse(models=[model_to(MODEL)])

    def PublishBars(
        self, requests: Iterator[mpb.PublishBarsRequest], context: Any
    ) -> Iterator[mpb.PublishBarsResponse]:
        for request in requests:
            self._fake.published += [bar_from(bar) for bar in request.bars]
            yield mpb.PublishBarsResponse(batch_id=request.batch_id, stored=len(request.bars))

    def ListBars(self, request: mpb.ListBarsRequest, context: Any) -> mpb.ListBarsResponse:
        wanted = (request.symbol, request.interval)
        bars = [bar for bar in self._fake.published if (bar.symbol, bar.interval) == wanted]
        return mpb.ListBarsResponse(bars=[bar_to(bar) for bar in bars])

    def ListInstruments(
        self, request: mpb.ListInstrumentsRequest, context: Any
    ) -> mpb.ListInstrumentsResponse:
        symbols = sorted({bar.symbol for bar in self._fake.published})
        return mpb.ListInstrumentsResponse(instruments=[mpb.Instrument(symbol=s) for s in symbols])

    def ListSignals(self, request: spb.ListSignalsRequest, context: Any) -> spb.ListSignalsResponse:
        events = [event for event in self._fake._events if _matches(event, request)]
        return spb.ListSignalsResponse(events=events[::-1] if request.descending else events)

    def GetTrackRecord(self, request: spb.GetTrackRecordRequest, context: Any) -> spb.GetTrackRecordResponse:
        return spb.GetTrackRecordResponse()

    def Signals(self, request: spb.SignalsRequest, context: Any) -> Iterator[spb.SignalsResponse]:
        fake = self._fake
        with fake._changed:
            connection, epoch, position = fake._connections, fake.epoch, len(fake._events)
        result, reason = spb.OPEN_RESULT_STARTED, spb.RESET_REASON_UNSPECIFIED
        if request.resume_token:
            token_epoch, token_position = map(int, request.resume_token.split(b":"))
            if token_epoch != epoch:
                result, reason = spb.OPEN_RESULT_RESET, spb.RESET_REASON_EPOCH_CHANGED
            elif token_position < fake._earliest - 1:
                _abort_too_old(context, fake._earliest, token_position)
            else:
                result, position = spb.OPEN_RESULT_RESUMED, token_position
        elif request.start == spb.START_EARLIEST:
            position = fake._earliest - 1
        opened = spb.Opened(
            result=result,
            reset_reason=reason,
            epoch=f"{epoch:016x}",
            head_sequence=len(fake._events),
            earliest_sequence=fake._earliest,
            contract_version="1.0",
            model=ref_to(MODEL.ref),
        )
        yield self._response(epoch, position, opened=opened)
        fresh = result == spb.OPEN_RESULT_STARTED and request.start in (0, spb.START_SNAPSHOT)
        if fresh or result == spb.OPEN_RESULT_RESET:
            batch = spb.EventBatch(events=_snapshot(fake._events[:position], request), snapshot=True)
            yield self._response(epoch, position, batch=batch)
        while True:
            heartbeat = (request.heartbeat_interval.ToMicroseconds() or 1_000_000) / 1e6
            with fake._changed:
                fake._changed.wait_for(partial(self._due, position, connection), timeout=heartbeat)
                found, broken = fake._events[position:], fake._connections != connection or fake._stopped
            position += len(found)
            events = [event for event in found if _matches(event, request)]
            if events:
                yield self._response(epoch, position, batch=spb.EventBatch(events=events))
            if broken or not context.is_active():
                context.abort(grpc.StatusCode.UNAVAILABLE, "the fake server broke this stream")
            if not events:
                beat = spb.Heartbeat(data_state=mpb.DATA_STATE_LIVE)
                beat.server_time.FromDatetime(datetime.now(UTC))
                beat.market_time.CopyFrom(beat.server_time)
                yield self._response(epoch, position, heartbeat=beat)

    def _due(self, position: int, connection: int) -> bool:
        fake = self._fake
        return len(fake._events) > position or fake._stopped or fake._connections != connection

    def _response(self, epoch: int, position: int, **body: Any) -> spb.SignalsResponse:
        return spb.SignalsResponse(
            resume_token=b"%d:%d" % (epoch, position), through_sequence=position, **body
        )

    def _prediction(self, symbol: str, window: NDArray[np.float32] | None) -> ipb.Prediction:
        confidence = confidence_to(self._fake.predict(symbol, window))
        return ipb.Prediction(model=ref_to(MODEL.ref), confidence=confidence, symbol=symbol)


def _items(source: ipb.Input) -> list[tuple[str, NDArray[np.float32] | None]]:
    if source.WhichOneof("source") == "windows":
        windows = np.frombuffer(source.windows.data, dtype="<f4")
        shape = (source.windows.count, MODEL.time_steps, len(MODEL.features))
        return [("", window) for window in windows.reshape(shape)]
    if source.WhichOneof("source") == "bars":
        return [(series.bars[-1].symbol, None) for series in source.bars.series]
    if source.WhichOneof("source") == "signals":
        return [("", None) for _ in source.signals.sequences]
    return [(symbol, None) for symbol in source.symbols.symbols]


def _matches(event: spb.Event, request: spb.SignalsRequest | spb.ListSignalsRequest) -> bool:
    kinds = {"confidence": 1, "buy": 2, "outcome": 3}
    kind = kinds[event.WhichOneof("kind") or "confidence"]
    if (request.kinds and kind not in request.kinds) or (
        request.symbols and event.symbol not in request.symbols
    ):
        return False
    made = event_from(event)
    return not isinstance(made, BuyEvent | ConfidenceEvent) or (
        made.signal.confidence.winning >= request.min_confidence
    )


def _snapshot(events: list[spb.Event], request: spb.SignalsRequest) -> list[spb.Event]:
    """The newest confidence and buy of each symbol."""
    newest = {(event.symbol, event.WhichOneof("kind")): event for event in events if _matches(event, request)}
    chosen = [event for (_, kind), event in newest.items() if kind != "outcome"]
    return sorted(chosen, key=lambda event: event.sequence)


def _abort_too_old(context: Any, earliest: int, position: int) -> None:
    detail = AnyMessage()
    metadata = {"earliest_sequence": str(earliest), "sequence": str(position)}
    detail.Pack(error_details_pb2.ErrorInfo(reason="TOKEN_TOO_OLD", domain="glasstape", metadata=metadata))
    status = status_pb2.Status(code=11, message="resume_token: too old", details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.OUT_OF_RANGE, status.message)
