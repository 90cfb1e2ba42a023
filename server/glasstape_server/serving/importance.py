"""GetImportance: importance over sets of windows, on the engine's lowest lane and a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from glasstape_server.access.quotas import Quotas
from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import Arrays, ExplainWork, ForecastWork, Maps, Work
from glasstape_server.explain import permutation
from glasstape_server.explain.catalog import METHODS, check_served
from glasstape_server.explain.defaults import resolved
from glasstape_server.explain.importance import Estimates, Importance, summarize
from glasstape_server.explain.importance_drift import Drift, drift
from glasstape_server.explain.method import PASSES_AT_ONCE, Request
from glasstape_server.explain.units import comparable
from glasstape_server.models.model import Model
from glasstape_server.serving.called_windows import Collector, WindowSet
from glasstape_server.serving.inputs import Inputs
from glasstape_server.serving.window_sets import (
    EXAMINED_PER_WINDOW,
    Candidates,
    Period,
    WindowFilter,
    batches,
    draw,
    microseconds_of,
    resolve_period,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ImportanceRequest:
    """Which importance."""

    wanted: WindowFilter
    reference: WindowFilter | None
    """Windows to compare with; None: no drift."""
    method_request: Request
    max_windows: int
    """Of each of the two sets."""
    model: str = ""
    """"name" or "name@version"; empty: the active model."""
    permutation: bool = False
    """Whether to measure permutation importance."""


@dataclass(frozen=True, slots=True)
class SetImportance:
    """Importance over one set of windows."""

    set: WindowSet
    seen: int
    """Windows within the training and validation data of the model."""
    importance: Importance | None
    """None: the set is empty."""
    permutation: Estimates | None
    """Loss increase of each part, nats; None: not requested, or fewer than two windows have outcomes."""


@dataclass(frozen=True, slots=True)
class ImportanceReport:
    """Importance, and how it has changed since a reference."""

    model: Model
    request: ImportanceRequest
    current: SetImportance
    reference: SetImportance | None
    drift: Drift | None
    """None: no reference, or one of the sets is empty."""


@dataclass(frozen=True, slots=True)
class _Draw:
    """Bars drawn for a filter."""

    wanted: WindowFilter
    period: Period
    candidates: Candidates


class ImportanceService:
    """Summarizes what models look at.

    Args:
        inputs: models and market.
        engine: the device.
        quotas: of the callers.
    """

    def __init__(self, inputs: Inputs, engine: Engine, quotas: Quotas) -> None:
        self._model, self._ingest = inputs.model, inputs.ingest
        self._engine, self._quotas = engine, quotas
        self._thread = ThreadPoolExecutor(1, "importance")
        """Reads bars and resamples, one call at a time: other work keeps its threads."""

    async def summarize(self, request: ImportanceRequest, call: Call) -> ImportanceReport:
        """Return the importance that a request asks for.

        Raises:
            NotFound: no such model, or no bars of a symbol.
            FailedPrecondition: the model cannot serve the method.
            InvalidArgument: a period ends before it begins, or overlaps the one that it is compared with.
            ResourceExhausted: the queue is full, or the caller's quota is used up.
            DeadlineExceeded: the call was canceled, or its deadline passed.
            CancelledError: the task was canceled; what runs for it ends.
        """
        try:
            return await self._summarize(request, call)
        except asyncio.CancelledError:
            call.canceled = True
            raise

    async def _summarize(self, request: ImportanceRequest, call: Call) -> ImportanceReport:
        model = self._model(request.model)
        request = replace(request, method_request=resolved(request.method_request, [model]))
        check_served(model, request.method_request.method)
        self._quotas.charge_passes(call.principal, 0)  # before anything is read
        period = await self._period(model, request.wanted, "filter")
        draws = [await self._draw(request, request.wanted, period, call)]
        if request.reference is not None:
            earlier = await self._period(model, request.reference, "reference", max(0, period.first - 1))
            _check_apart(period, earlier)
            draws.append(await self._draw(request, request.reference, earlier, call))
        self._charge(model, request, draws, call)
        current, *others = [await self._set_importance(model, request, drawn, call) for drawn in draws]
        reference, changed = others[0] if others else None, None
        if reference is not None and reference.importance is not None and current.importance is not None:
            changed = drift(current.importance, reference.importance)
        return ImportanceReport(model, request, current, reference, changed)

    async def _period(
        self, model: Model, wanted: WindowFilter, path: str, newest: int | None = None
    ) -> Period:
        return await self._ingest.run_on_market_thread(
            resolve_period, self._ingest.store, model, wanted, path, newest
        )

    async def _draw(
        self, request: ImportanceRequest, wanted: WindowFilter, period: Period, call: Call
    ) -> _Draw:
        """Draw bars, as many as may be examined."""
        count = request.max_windows * (EXAMINED_PER_WINDOW if wanted.by_call else 1)
        seed = request.method_request.seed
        candidates = await self._on_thread(call, draw, self._ingest.store.path, period, count, seed, call)
        return _Draw(wanted, period, candidates)

    def _charge(self, model: Model, request: ImportanceRequest, draws: Sequence[_Draw], call: Call) -> None:
        """Charge the passes that the bars take if each ends a window, at once: a call may overdraw a quota once.

        Raises:
            ResourceExhausted: the caller's quota is used up.
        """
        each = ExplainWork(model, request.method_request).passes
        each += permutation.passes(model.window_shape) if request.permutation else 0
        counts = [len(drawn.candidates.ends) for drawn in draws]
        passes = sum(count + min(count, request.max_windows) * each for count in counts)
        self._quotas.charge_passes(call.principal, passes)

    async def _set_importance(
        self, model: Model, request: ImportanceRequest, drawn: _Draw, call: Call
    ) -> SetImportance:
        chosen = await self._windows(model, request.max_windows, drawn, call)
        seen_until = microseconds_of(model.manifest.data.validation.last_close)
        seen = int(np.count_nonzero(chosen.close_time <= seen_until))
        if not len(chosen.windows):
            return SetImportance(chosen, seen, None, None)
        outputs = await self._run(ExplainWork(model, request.method_request), chosen.windows, call)
        maps = np.concatenate([Maps.of(part).values for part in outputs])
        quantity, seed = METHODS[request.method_request.method].quantity, request.method_request.seed
        maps = comparable(maps, quantity, model.statistics.deviation.numpy())
        importance = await self._on_thread(call, summarize, maps, chosen.close_time, seed)
        permuted = await self._permutation(model, chosen, seed, call) if request.permutation else None
        return SetImportance(chosen, seen, importance, permuted)

    async def _windows(self, model: Model, most: int, drawn: _Draw, call: Call) -> WindowSet:
        """Predict the drawn windows until there are enough whose prediction is wanted."""
        read = batches(self._ingest.store.path, model, drawn.candidates, drawn.period, call)
        collector = Collector(most, drawn.wanted)
        try:
            while not collector.full and (batch := await self._on_thread(call, next, read, None)) is not None:
                logits = await self._logits(model, batch.windows, call)
                await self._on_thread(call, collector.add, model, batch, logits)
        finally:
            self._thread.submit(read.close)  # where its connection was opened
        return await self._on_thread(call, collector.window_set, model, drawn.period, drawn.candidates.bars)

    async def _permutation(self, model: Model, chosen: WindowSet, seed: int, call: Call) -> Estimates | None:
        known, temperature = chosen.labels >= 0, model.manifest.temperature
        windows, labels = chosen.windows[known], chosen.labels[known]
        if len(windows) < 2:
            return None
        original = permutation.losses(await self._logits(model, windows, call), temperature, labels)
        source = permutation.permuted(windows, seed)
        increases = []
        while (copies := await self._on_thread(call, next, source, None)) is not None:
            logits = await self._logits(model, copies.windows, call)
            increases.append(
                await self._on_thread(call, permutation.loss_increase, original, logits, temperature, labels)
            )
        columns, steps = np.stack(increases, axis=1), model.window_shape[0]
        return await self._on_thread(
            call, permutation.estimate, columns, chosen.close_time[known], steps, seed
        )

    async def _logits(self, model: Model, windows: Float32s, call: Call) -> Float32s:
        outputs = await self._run(ForecastWork(model), windows, call)
        return np.concatenate([np.empty((0, 3), np.float32), *(logits for (logits,) in outputs)])

    async def _run(self, work: Work, windows: Float32s, call: Call) -> list[Arrays]:
        """Run work in jobs of about one batch each, so that other callers' rows come between them."""
        size = max(1, PASSES_AT_ONCE // work.passes)
        parts = [windows[first : first + size] for first in range(0, len(windows), size)]
        return [(await self._engine.run(work, part, Lane.BULK, call)).outputs for part in parts]

    async def _on_thread(self, call: Call, function: Callable[..., T], *arguments: object) -> T:
        def run() -> T:
            call.check_open()
            return function(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _check_apart(current: Period, reference: Period) -> None:
    """Check that two periods share no close, so that their windows are independent.

    Raises:
        InvalidArgument: they do.
    """
    if current.first <= reference.last and reference.first <= current.last:
        rule = f"must not overlap the period of filter ({current}), is {reference}"
        raise InvalidArgument.field("reference", rule)
