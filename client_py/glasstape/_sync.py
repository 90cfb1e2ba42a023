"""The synchronous client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

import grpc

from glasstape._lazy import LazyModule
from glasstape._stored import StoredBarsMethods
from glasstape._transport import Transport
from glasstape.types.enums import BarMode, Method, ModelView, QualityLevel, Score
from glasstape.types.stream_enums import Delivery, Start

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from types import TracebackType

    from numpy.typing import ArrayLike

    from glasstape import _calls, _stream
    from glasstape._convert import health, market
    from glasstape._options import Tls
    from glasstape._stream import SignalStream
    from glasstape.types.enums import Baseline, Direction, EventKind, Include, TrackRecordGroup
    from glasstape.types.explanation import Explanation
    from glasstape.types.inference import Health, Model, Prediction, ServerInfo
    from glasstape.types.market import Bar, Instrument, PublishReport
    from glasstape.types.signals import Event, StreamMessage
    from glasstape.types.track import TrackRecords
else:
    _calls = LazyModule("glasstape._calls")
    _stream = LazyModule("glasstape._stream")
    health = LazyModule("glasstape._convert.health")
    market = LazyModule("glasstape._convert.market")


class Client(StoredBarsMethods):
    """Connection to a Glasstape server. Threads may share it; close it or use it in a `with` block.

    Args:
        address: "host:port".
        timeout: seconds that a call may take; streams have none.
        tls: certificates; None: plaintext.
        token: bearer token sent with every call; requires `tls` beyond loopback.

    Raises:
        InvalidRequestError: the token must not be sent.
    """

    def __init__(
        self, address: str, *, timeout: float = 10.0, tls: Tls | None = None, token: str | None = None
    ) -> None:
        self._transport = Transport(address, timeout, tls, token)

    def close(self) -> None:
        """Close the connection; open streams end."""
        self._transport.close()

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
        """Predict from exactly one of four sources; return one prediction per item, in order.

        Args:
            windows: float32 (time, feature) or (n, time, feature), in the features' own units.
            bars: the bars of one symbol for each prediction, at least `Model.min_bars`.
            symbols: symbols whose latest bars the server has.
            signals: sequences of past signals: returns the journaled confidences bit for bit.
            model: "name" or "name@version"; "": the active model. Not with `signals`.

        Raises:
            GlasstapeError: the call failed. An item that failed has `Prediction.error`.
        """
        return self._transport.run(_calls.predict(windows, bars, symbols, signals, model))

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
        include: Iterable[Include | str] | None = None,
    ) -> list[Explanation]:
        """Predict and explain; sources and `model` as in `predict`.

        Args:
            method: how the map is computed.
            score: the number to explain.
            target: class to explain; None: each row's own winner.
            foil: class to compare with, for MARGIN; None: the highest other class.
            baseline: the reference input; None: the method's default.
            samples: steps or draws, for methods that take them; 0: the method's default.
            seed: seed of methods that draw random numbers.
            quality: which checks to run; FULL compares the map with other methods.
            baseline_windows: the caller's baselines, one (time, feature) or one for each item.
            background: for EXPECTED_GRADIENTS, (n, time, feature); None: the model's own.
            include: what to return besides map and score; None: everything; empty: nothing.

        Raises:
            GlasstapeError: the call failed. An item that failed is returned with `Explanation.error`.
        """
        call = _calls.explain(
            windows, bars, symbols, signals, model=model, method=method, score=score, target=target,
            foil=foil, baseline=baseline, samples=samples, seed=seed, quality=quality,
            baseline_windows=baseline_windows, background=background, include=include,
        )  # fmt: skip
        return self._transport.run(call)

    def model(self, name: str = "") -> Model:
        """Return one model: "name", "name@version" or "" for the active one."""
        return self._transport.run(_calls.get_model(name))

    def models(self, *, view: ModelView | str = ModelView.FULL) -> list[Model]:
        """Return every model version on the server, refused ones too. BASIC leaves most fields empty."""
        return list(self._transport.pages(_calls.list_models(view)))

    def server_info(self) -> ServerInfo:
        """Return versions, limits and optional features of the server."""
        return self._transport.run(_calls.get_server_info())

    def publish_bars(
        self,
        bars: Sequence[Bar],
        *,
        instruments: Iterable[Instrument] = (),
        mode: BarMode | str = BarMode.FINAL,
    ) -> PublishReport:
        """Store bars; when this returns, everything reported as stored is on the server's disk.

        Publishing the same bars again is harmless, so a failed call may be repeated.

        Args:
            bars: any symbols and intervals; bars that close together belong into one call.
            instruments: descriptions of symbols.
            mode: what the bars are; see `BarMode`.

        Raises:
            InvalidRequestError: a number of a bar is None or NaN, or a close time has no time zone.
            GlasstapeError: the call failed. A bar that was not stored is in `PublishReport.rejections`.
        """
        calls = _calls.publish_bars(bars, instruments, mode)
        return market.merged([self._transport.run(call) for call in calls])

    def bars(
        self,
        symbol: str,
        interval: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Bar]:
        """Return stored bars of a symbol, oldest first, between two close times (inclusive)."""
        return list(self._transport.pages(_calls.list_bars(symbol, interval, start, end)))

    def instruments(self) -> list[Instrument]:
        """Return every instrument of the server, ordered by symbol."""
        return list(self._transport.pages(_calls.list_instruments()))

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
        quotes: bool = False,
        silence_timeout: timedelta | float | None = None,
        on_notice: Callable[[StreamMessage], None] | None = None,
    ) -> SignalStream:
        """Follow the feed: iterate the events, or `messages()` for every message.

        After failures the stream continues after the last event, without gaps or repetitions.

        Args:
            symbols: only these; empty: all.
            kinds: only these; empty: all.
            min_confidence: minimum probability of the predicted class of confidences and buys, 0-1.
            start: where to begin without a token.
            resume_token: `SignalStream.resume_token` of an earlier stream; overrides `start`.
            delivery: how confidences are delivered to a slow reader.
            conflation_interval: minimum seconds between two deliveries of live events, 0-60.
            heartbeat_interval: seconds without a message after which the server sends a heartbeat, 0.1-60.
            heatmap_method: also send heat maps by this method, as `HeatmapBatch` messages.
            quotes: also send provisional bars, as `QuoteBatch` messages.
            silence_timeout: seconds without a message after which the connection is considered dead; None:
                three heartbeat intervals and a second.
            on_notice: called with every message that is not a batch of events while events are iterated.

        Raises:
            InvalidRequestError: an argument is malformed.
        """
        state = _calls.follow_signals(
            symbols, kinds, min_confidence=min_confidence, start=start, resume_token=resume_token,
            delivery=delivery, conflation_interval=conflation_interval, heartbeat_interval=heartbeat_interval,
            heatmap_method=heatmap_method, quotes=quotes, silence_timeout=silence_timeout,
        )  # fmt: skip
        return _stream.SignalStream(self._transport.stream(*_calls.FOLLOW), state, on_notice)

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
        """Yield journaled events, oldest or newest first; a page is read when its first event is taken.

        Args:
            symbols: only these; empty: all.
            kinds: only these; empty: all.
            min_confidence: minimum probability of the predicted class of confidences and buys, 0-1.
            start_sequence: first sequence, inclusive; 0: the earliest.
            end_sequence: last sequence, inclusive; 0: the newest.
            descending: newest first.
        """
        call = _calls.list_signals(
            symbols, kinds, min_confidence=min_confidence, start_sequence=start_sequence,
            end_sequence=end_sequence, descending=descending,
        )  # fmt: skip
        return self._transport.pages(call)

    def track_record(
        self,
        *,
        model: str = "",
        symbols: Sequence[str] = (),
        exclude_abstained: bool = False,
        group_by: Iterable[TrackRecordGroup | str] = (),
        cost: float = 0.0,
    ) -> TrackRecords:
        """Return hit rates and returns of past signals, with base rates and 95 % intervals.

        Args:
            model: only this model; "": all.
            symbols: only these; empty: all.
            exclude_abstained: leave abstained signals out.
            group_by: "model", "symbol" and "confidence", besides the predicted class.
            cost: cost of entering or leaving a position, as a share of the price, 0-0.1.
        """
        call = _calls.get_track_record(
            model, symbols, exclude_abstained=exclude_abstained, group_by=group_by, cost=cost
        )
        return self._transport.run(call)

    def ready(self) -> bool:
        """Return whether the server reports SERVING (grpc.health.v1)."""
        return self.health().serving

    def health(self, service: str = "") -> Health:
        """Return the health of the server, a service or a model (grpc.health.v1). Unreachable is not serving.

        Args:
            service: for example "glasstape.v1.SignalService", or a model's name; "": the server as a whole.

        Raises:
            NotFoundError: there is no such service.
        """
        try:
            return health.health_from(*self._transport.once(_calls.check_health(service)))
        except grpc.RpcError as error:
            return health.health_of_failure(error)
