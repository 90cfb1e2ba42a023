"""The synchronous client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from glasstape._client import ConnectedClient
from glasstape._importance import ImportanceMethods
from glasstape._lazy import LazyModule
from glasstape._scalars import handler
from glasstape._stored import StoredBarsMethods
from glasstape.types.enums import Method, ModelView, QualityLevel, Score
from glasstape.types.stream_enums import Delivery, Start

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from numpy.typing import ArrayLike

    from glasstape import _calls, _stream
    from glasstape._convert import market
    from glasstape._stream import SignalStream
    from glasstape.types.enums import BarMode, Baseline, Direction, EventKind, Include, TrackRecordGroup
    from glasstape.types.explanation import Explanation
    from glasstape.types.inference import Model, Prediction, ServerInfo
    from glasstape.types.market import Bar, Instrument, PublishReport
    from glasstape.types.signals import Event, StreamMessage
    from glasstape.types.track import TrackRecords
else:
    _calls = LazyModule("glasstape._calls")
    _stream = LazyModule("glasstape._stream")
    market = LazyModule("glasstape._convert.market")


class Client(ConnectedClient, StoredBarsMethods, ImportanceMethods):
    """Connection to a Glasstape server. Threads may share it; close it or use it in a `with` block.

    The first call connects. A process that was forked may use a client of its parent, unless the parent was calling
    a server at the fork. Every method that calls the server takes `timeout`: seconds for each call; None: that of the
    client.

    Args:
        address: "host:port"; see `glasstape.address`.
        timeout: seconds that a call may take; streams have none.
        tls: certificates; None: plaintext.
        token: bearer token sent with every call; requires `tls` beyond loopback.

    Raises:
        InvalidRequestError: an argument breaks a rule, or the token must not be sent.
    """

    def predict(
        self,
        *,
        windows: ArrayLike | None = None,
        bars: Sequence[Sequence[Bar]] | None = None,
        symbols: Sequence[str] | None = None,
        signals: Sequence[int] | None = None,
        model: str = "",
        timeout: timedelta | float | None = None,
    ) -> list[Prediction]:
        """Predict from exactly one of four sources; return one prediction per item, in order.

        Args:
            windows: float32 (time, feature) or (n, time, feature), in the features' own units; the shape must be
                the model's.
            bars: the bars of one symbol for each prediction, at least `Model.min_bars`.
            symbols: symbols whose latest bars the server has.
            signals: sequences of past signals: returns the journaled confidences bit for bit.
            model: "name" or "name@version"; "": the active model. Not with `signals`.

        Raises:
            GlasstapeError: the call failed. An item that failed has `Prediction.error`.
        """
        return self._transport.run(_calls.predict(windows, bars, symbols, signals, model), timeout)

    def explain(
        self,
        *,
        windows: ArrayLike | None = None,
        bars: Sequence[Sequence[Bar]] | None = None,
        symbols: Sequence[str] | None = None,
        signals: Sequence[int] | None = None,
        model: str = "",
        method: Method | str = Method.UNSPECIFIED,
        score: Score | str = Score.UNSPECIFIED,
        target: Direction | str | None = None,
        foil: Direction | str | None = None,
        baseline: Baseline | str | None = None,
        samples: int = 0,
        seed: int = 0,
        quality: QualityLevel | str = QualityLevel.FAST,
        baseline_windows: ArrayLike | None = None,
        background: ArrayLike | None = None,
        include: Iterable[Include | str] | None = None,
        timeout: timedelta | float | None = None,
    ) -> list[Explanation]:
        """Predict and explain; sources and `model` as in `predict`.

        Args:
            method: how the map is computed; UNSPECIFIED: SCALED_GRADIENT, at quality FULL SCALED_PATH_GRADIENT.
            score: the number to explain; UNSPECIFIED: the method's default.
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
        return self._transport.run(call, timeout)

    def model(self, name: str = "", *, timeout: timedelta | float | None = None) -> Model:
        """Return one model: "name", "name@version" or "" for the active one."""
        return self._transport.run(_calls.get_model(name), timeout)

    def models(
        self, *, view: ModelView | str = ModelView.FULL, timeout: timedelta | float | None = None
    ) -> list[Model]:
        """Return every model version on the server, refused ones too. BASIC leaves most fields empty."""
        return list(self._transport.pages(_calls.list_models(view), timeout))

    def server_info(self, *, timeout: timedelta | float | None = None) -> ServerInfo:
        """Return versions, limits and optional features of the server."""
        return self._transport.run(_calls.get_server_info(), timeout)

    def publish_bars(
        self,
        bars: Sequence[Bar],
        *,
        instruments: Iterable[Instrument] = (),
        mode: BarMode | str | None = None,
        backfill: bool = False,
        timeout: timedelta | float | None = None,
    ) -> PublishReport:
        """Store bars; when this returns, everything reported as stored is on the server's disk.

        Publishing the same bars again is harmless, so a failed call may be repeated.

        Args:
            bars: any symbols and intervals; bars that close together belong into one call.
            instruments: descriptions of symbols.
            mode: what the bars are; see `BarMode`. None: FINAL, or BACKFILL with `backfill`.
            backfill: short for `mode="backfill"`; not with another mode.

        Raises:
            InvalidRequestError: a number of a bar is None or NaN, a close time has no time zone, or `backfill` and
                `mode` contradict each other.
            GlasstapeError: the call failed. A bar that was not stored is in `PublishReport.rejections`.
        """
        calls = _calls.publish_bars(bars, instruments, mode, backfill)
        return market.merged([self._transport.run(call, timeout) for call in calls])

    def bars(
        self,
        symbol: str,
        interval: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timeout: timedelta | float | None = None,
    ) -> list[Bar]:
        """Return stored bars of a symbol, oldest first, between two close times (inclusive)."""
        return list(self._transport.pages(_calls.list_bars(symbol, interval, start, end), timeout))

    def instruments(self, *, timeout: timedelta | float | None = None) -> list[Instrument]:
        """Return every instrument of the server, ordered by symbol."""
        return list(self._transport.pages(_calls.list_instruments(), timeout))

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
        return _stream.SignalStream(self._transport, state, handler(on_notice, "on_notice"))

    def history(
        self,
        *,
        symbols: Sequence[str] = (),
        kinds: Iterable[EventKind | str] = (),
        min_confidence: float = 0.0,
        start_sequence: int = 0,
        end_sequence: int = 0,
        descending: bool = False,
        timeout: timedelta | float | None = None,
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
        return self._transport.pages(call, timeout)

    def track_record(
        self,
        *,
        model: str = "",
        symbols: Sequence[str] = (),
        exclude_abstained: bool = False,
        group_by: Iterable[TrackRecordGroup | str] = (),
        cost: float = 0.0,
        timeout: timedelta | float | None = None,
    ) -> TrackRecords:
        """Return how past signals turned out: calls beside their base rate, skill and returns, with 95 % intervals.

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
        return self._transport.run(call, timeout)
