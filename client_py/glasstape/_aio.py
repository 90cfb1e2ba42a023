"""The asyncio client: the methods of `Client`, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from glasstape._aio_transport import AsyncTransport
from glasstape._importance import AsyncImportanceMethods
from glasstape._lazy import LazyModule
from glasstape._options import Settings
from glasstape._scalars import handler
from glasstape._stored import AsyncStoredBarsMethods
from glasstape.errors import DeadlineError, UnavailableError
from glasstape.types.enums import Method, ModelView, QualityLevel, Score
from glasstape.types.stream_enums import Delivery, Start

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from types import TracebackType

    from numpy.typing import ArrayLike

    from glasstape import _aio_stream, _calls
    from glasstape._aio_stream import AsyncSignalStream
    from glasstape._convert import health, market
    from glasstape._options import Tls
    from glasstape.address import Address
    from glasstape.types.enums import BarMode, Baseline, Direction, EventKind, Include, TrackRecordGroup
    from glasstape.types.explanation import Explanation
    from glasstape.types.inference import Health, Model, Prediction, ServerInfo
    from glasstape.types.market import Bar, Instrument, PublishReport
    from glasstape.types.signals import Event, StreamMessage
    from glasstape.types.track import TrackRecords
else:
    _calls = LazyModule("glasstape._calls")
    _aio_stream = LazyModule("glasstape._aio_stream")
    health = LazyModule("glasstape._convert.health")
    market = LazyModule("glasstape._convert.market")


class AsyncClient(AsyncStoredBarsMethods, AsyncImportanceMethods):
    """Connection to a Glasstape server. See `Client` for arguments and methods.

    It may be created anywhere, also without an event loop. It belongs to the loop of its first call; when that is
    closed, to the next. A process forked while an AsyncClient is connected cannot use gRPC: start processes by the
    method "spawn" or "forkserver".
    """

    def __init__(
        self,
        address: str | Address,
        *,
        timeout: timedelta | float = 10.0,
        tls: Tls | None = None,
        token: str | None = None,
    ) -> None:
        self._transport = AsyncTransport(Settings.of(address, timeout, tls, token))

    @property
    def address(self) -> str:
        """See `Client.address`."""
        return str(self._transport.settings.address)

    async def close(self) -> None:
        """See `Client.close`."""
        await self._transport.close()

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
        timeout: timedelta | float | None = None,
    ) -> list[Prediction]:
        """See `Client.predict`."""
        return await self._transport.run(_calls.predict(windows, bars, symbols, signals, model), timeout)

    async def explain(
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
        """See `Client.explain`."""
        call = _calls.explain(
            windows, bars, symbols, signals, model=model, method=method, score=score, target=target,
            foil=foil, baseline=baseline, samples=samples, seed=seed, quality=quality,
            baseline_windows=baseline_windows, background=background, include=include,
        )  # fmt: skip
        return await self._transport.run(call, timeout)

    async def model(self, name: str = "", *, timeout: timedelta | float | None = None) -> Model:
        """See `Client.model`."""
        return await self._transport.run(_calls.get_model(name), timeout)

    async def models(
        self, *, view: ModelView | str = ModelView.FULL, timeout: timedelta | float | None = None
    ) -> list[Model]:
        """See `Client.models`."""
        return [item async for item in self._transport.pages(_calls.list_models(view), timeout)]

    async def server_info(self, *, timeout: timedelta | float | None = None) -> ServerInfo:
        """See `Client.server_info`."""
        return await self._transport.run(_calls.get_server_info(), timeout)

    async def publish_bars(
        self,
        bars: Sequence[Bar],
        *,
        instruments: Iterable[Instrument] = (),
        mode: BarMode | str | None = None,
        backfill: bool = False,
        timeout: timedelta | float | None = None,
    ) -> PublishReport:
        """See `Client.publish_bars`."""
        calls = _calls.publish_bars(bars, instruments, mode, backfill)
        return market.merged([await self._transport.run(call, timeout) for call in calls])

    async def bars(
        self,
        symbol: str,
        interval: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        timeout: timedelta | float | None = None,
    ) -> list[Bar]:
        """See `Client.bars`."""
        pages = self._transport.pages(_calls.list_bars(symbol, interval, start, end), timeout)
        return [bar async for bar in pages]

    async def instruments(self, *, timeout: timedelta | float | None = None) -> list[Instrument]:
        """See `Client.instruments`."""
        return [item async for item in self._transport.pages(_calls.list_instruments(), timeout)]

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
    ) -> AsyncSignalStream:
        """See `Client.signals`; iterate with `async for`."""
        state = _calls.follow_signals(
            symbols, kinds, min_confidence=min_confidence, start=start, resume_token=resume_token,
            delivery=delivery, conflation_interval=conflation_interval, heartbeat_interval=heartbeat_interval,
            heatmap_method=heatmap_method, quotes=quotes, silence_timeout=silence_timeout,
        )  # fmt: skip
        return _aio_stream.AsyncSignalStream(self._transport, state, handler(on_notice, "on_notice"))

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
    ) -> AsyncIterator[Event]:
        """See `Client.history`; iterate with `async for`."""
        call = _calls.list_signals(
            symbols, kinds, min_confidence=min_confidence, start_sequence=start_sequence,
            end_sequence=end_sequence, descending=descending,
        )  # fmt: skip
        return self._transport.pages(call, timeout)

    async def track_record(
        self,
        *,
        model: str = "",
        symbols: Sequence[str] = (),
        exclude_abstained: bool = False,
        group_by: Iterable[TrackRecordGroup | str] = (),
        cost: float = 0.0,
        timeout: timedelta | float | None = None,
    ) -> TrackRecords:
        """See `Client.track_record`."""
        call = _calls.get_track_record(
            model, symbols, exclude_abstained=exclude_abstained, group_by=group_by, cost=cost
        )
        return await self._transport.run(call, timeout)

    async def ready(self, *, timeout: timedelta | float | None = None) -> bool:
        """See `Client.ready`."""
        return (await self.health(timeout=timeout)).serving

    async def health(self, service: str = "", *, timeout: timedelta | float | None = None) -> Health:
        """See `Client.health`."""
        try:
            return health.health_from(*await self._transport.once(_calls.check_health(service), timeout))
        except (UnavailableError, DeadlineError) as error:
            return health.health_of_failure(error)
