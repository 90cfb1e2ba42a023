"""A server for tests: in this process, on a free port, with scripted answers.

    from glasstape import Client
    from glasstape.testing import FakeServer, make_buy

    with FakeServer() as server, Client(server.address) as client:
        server.emit(make_buy("AAPL"))
        assert next(iter(client.signals())).symbol == "AAPL"

It serves the contract over a real connection, so that a client under test needs no change.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from numpy.typing import NDArray

from glasstape._daemon_pool import DaemonPool
from glasstape._fake.failures import FailureInterceptor, TokenInterceptor
from glasstape._fake.feed import FakeFeed
from glasstape._fake.importance import importance_of
from glasstape._fake.market import FakeMarket
from glasstape._fake.servicer import Servicer
from glasstape.errors import GlasstapeError
from glasstape.types.enums import DataState, Direction, EntryPrice, Method, ModelState
from glasstape.types.explanation import Quality
from glasstape.types.importance import Importance, WindowFilter
from glasstape.types.inference import Confidence, Model, ModelFeature, ModelRef
from glasstape.types.market import Bar, Instrument
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, Signal
from glasstape.types.track import TrackRecords
from glasstape.v1 import inference_pb2_grpc, market_pb2_grpc, signals_pb2_grpc

MODEL = Model(
    ref=ModelRef(name="fake", version="1", digest="0" * 64, feature_spec_hash="0" * 64),
    state=ModelState.ACTIVE,
    refusal="",
    architecture="fake",
    time_steps=6,
    features=tuple(
        ModelFeature(name=f"feature_{n}", description="", mean=0.0, standard_deviation=1.0) for n in range(8)
    ),
    min_bars=6,
    interval="1d",
    horizon_bars=1,
    entry=EntryPrice.NEXT_CLOSE,
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
"""The default model of a `FakeServer`."""

_START = datetime(2026, 1, 5, 21, tzinfo=UTC)


def make_confidence(down: float = 0.25, flat: float = 0.25, up: float = 0.5) -> Confidence:
    """Return confidences from three probabilities that sum to 1."""
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
    """Return a signal of one daily bar."""
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
        probabilities=confidence or make_confidence(),
        bar=bar,
        reference_close=close,
        previous_session_close=close,
        horizon_bars=1,
        entry=EntryPrice.NEXT_CLOSE,
        expire_time=_START + timedelta(days=2),
        data_state=DataState.LIVE,
        flat_threshold=0.01,
    )


def make_buy(symbol: str, confidence: Confidence | None = None) -> BuyEvent:
    """Return a buy for `FakeServer.emit`, which sets its sequence."""
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
    """Return a confidence event for `FakeServer.emit`, which sets its sequence."""
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

    Set `predict`, `rank`, `explain`, `judge`, `importance` and `track_record` to answer calls, `emit` events for the
    feed, read `published`.

    Args:
        token: reject calls without this bearer token.
        credentials: serve TLS with these.
        model: the only model.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        credentials: grpc.ServerCredentials | None = None,
        model: Model = MODEL,
    ) -> None:
        self.predict: Callable[[str, NDArray[np.float32] | None], Confidence] = lambda s, w: make_confidence()
        """Called with the symbol (or "") and the window (or None) of each item; may raise a GlasstapeError."""
        self.rank: Callable[[str, NDArray[np.float32] | None], float | None] = lambda s, w: None
        """Called like `predict`; returns the rank score of the prediction, or None for a model without a rank head."""
        self.explain: Callable[[str, NDArray[np.float32] | None], NDArray[np.float32]] = lambda s, w: np.ones(
            (model.time_steps, len(model.features)), dtype=np.float32
        )
        """Called like `predict`; returns a map (time, feature)."""
        self.importance: Callable[[WindowFilter, WindowFilter | None], Importance] = (
            lambda wanted, reference: importance_of(model, wanted, reference)
        )
        """Called with the filter and the reference (or None); may raise a GlasstapeError."""
        self.track_record = TrackRecords(
            records=(), outcomes=0, brier_score=None, log_loss=None, reliability=(), left_out=0
        )
        """Answer of GetTrackRecord, whatever is requested."""
        self.judge: Callable[[str, NDArray[np.float32] | None], Quality | None] = lambda s, w: None
        """Called like `predict` for explanations of quality FULL; returns verdict and trust, or None."""
        self._feed = FakeFeed(model.ref)
        self._market = FakeMarket()
        self._failures = FailureInterceptor()
        interceptors: list[grpc.ServerInterceptor] = [self._failures]
        if token is not None:
            interceptors.insert(0, TokenInterceptor(token))
        pool: Any = DaemonPool(16)
        self._server = grpc.server(pool, interceptors=interceptors)
        servicer: Any = Servicer(
            model,
            self._feed,
            self._market,
            predict=lambda symbol, window: self.predict(symbol, window),
            rank=lambda symbol, window: self.rank(symbol, window),
            explain=lambda symbol, window: self.explain(symbol, window),
            importance=lambda wanted, reference: self.importance(wanted, reference),
            track=lambda: self.track_record,
            judge=lambda symbol, window: self.judge(symbol, window),
        )
        for register in (
            inference_pb2_grpc.add_InferenceServiceServicer_to_server,
            market_pb2_grpc.add_MarketServiceServicer_to_server,
            signals_pb2_grpc.add_SignalServiceServicer_to_server,
        ):
            register(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), self._server)
        if credentials is None:
            self._port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self._port = self._server.add_secure_port("127.0.0.1:0", credentials)

    @property
    def address(self) -> str:
        """Return "host:port" for a client."""
        return f"127.0.0.1:{self._port}"

    @property
    def published(self) -> list[Bar]:
        """Return every bar that was published to this server."""
        return self._market.bars

    @property
    def published_modes(self) -> list[str]:
        """Return the mode of each batch that was published, for example "backfill"."""
        return self._market.modes

    @property
    def instruments(self) -> dict[str, Instrument]:
        """Return every instrument that was published to this server, by symbol."""
        return self._market.instruments

    @property
    def calls(self) -> Counter[str]:
        """Return how often each method was called, by name: "Predict", "Signals" ..."""
        return self._failures.calls

    @property
    def contract_version(self) -> str:
        """Return the contract version that the server reports; may be set."""
        return self._feed.contract_version

    @contract_version.setter
    def contract_version(self, version: str) -> None:
        self._feed.contract_version = version

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.close()
        self._server.stop(0).wait()

    def emit(self, event: Event) -> int:
        """Journal an event, send it to every stream, and return its sequence."""
        return self._feed.emit(event)

    def send_quotes(self, *bars: Bar) -> None:
        """Send provisional bars to every stream that requested quotes."""
        self._feed.send_quotes(bars)

    def fail(self, method: str, error: GlasstapeError | None) -> None:
        """Fail every later call of a method, for example "ListModels", with an error; None: answer again."""
        if error is None:
            self._failures.failures.pop(method, None)
        else:
            self._failures.failures[method] = error

    def break_streams(self) -> None:
        """End every open stream with UNAVAILABLE, as a killed server does."""
        self._feed.break_streams()

    def freeze(self) -> None:
        """Send nothing more on streams, heartbeats included, as a stopped process does."""
        self._feed.freeze(True)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        self._feed.freeze(False)

    def forget_before(self, sequence: int) -> None:
        """Reject resume tokens before `sequence` as too old (OUT_OF_RANGE)."""
        self._feed.forget_before(sequence)

    def begin_epoch(self) -> None:
        """Lose history: resume tokens issued before are answered with RESET."""
        self._feed.begin_epoch()
