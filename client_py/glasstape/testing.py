"""A server for your tests: in this process, on a free port, with answers that you script.

    from glasstape import Client
    from glasstape.testing import FakeServer, make_buy

    with FakeServer() as server, Client(server.address) as client:
        server.emit(make_buy("AAPL"))
        assert next(iter(client.signals())).symbol == "AAPL"

It speaks the real contract over a real connection, so what works here works against the server.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from numpy.typing import NDArray

from glasstape._convert.outgoing import event_to
from glasstape._fake_servicer import NeedsToken, Servicer
from glasstape.types.enums import DataState, Direction, Entry, Method, ModelState
from glasstape.types.inference import Confidence, Feature, Model, ModelRef
from glasstape.types.market import Bar
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, Signal
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc
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

    Args:
        token: refuse calls without this bearer token.
        credentials: speak TLS with these.
    """

    def __init__(
        self, *, token: str | None = None, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self.predict: Callable[[str, NDArray[np.float32] | None], Confidence] = lambda s, w: make_confidence()
        """Called with the symbol (or "") and the window (or None) of each item."""
        self.explain: Callable[[str, NDArray[np.float32] | None], NDArray[np.float32]] = lambda s, w: np.ones(
            (MODEL.time_steps, len(MODEL.features)), dtype=np.float32
        )
        """Called like `predict`; returns a map (time, feature)."""
        self.published: list[Bar] = []
        """Every bar that was published here."""
        self.epoch = 1
        self.contract_version = "1.0"
        """What streams are told that is spoken here."""
        self._events: list[spb.Event] = []
        self._earliest = 1
        self._connections = 0
        self._changed = threading.Condition()
        self._stopped = False
        interceptors: list[grpc.ServerInterceptor] = [] if token is None else [NeedsToken(token)]
        self._server = grpc.server(ThreadPoolExecutor(16), interceptors=interceptors)
        servicer: Any = Servicer(self, MODEL)
        inference_pb2_grpc.add_InferenceServiceServicer_to_server(servicer, self._server)
        market_pb2_grpc.add_MarketServiceServicer_to_server(servicer, self._server)
        signals_pb2_grpc.add_SignalServiceServicer_to_server(servicer, self._server)
        if credentials is None:
            self._port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self._port = self._server.add_secure_port("127.0.0.1:0", credentials)

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
