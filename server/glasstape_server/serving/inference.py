"""Predict and Explain over domain values.

Explain is five steps: resolve the source (checks its framing and values), plan (checks method, baseline and background
against the model), run on the engine, judge, and encode, which `rpc.convert` does. `rpc.batched_inference` answers
Predict calls of ready windows, and their plain gradient maps, without `Inference.predict` and `Inference.explain`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from glasstape_server.access.quotas import Quotas
from glasstape_server.domain.calls import Call
from glasstape_server.domain.signals import Confidence
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.flip_class import CounterfactualWork
from glasstape_server.engine.job import Lane, Result
from glasstape_server.engine.work import ExplainWork, ForecastWork, Maps, forecasts
from glasstape_server.explain.catalog import default_score
from glasstape_server.explain.defaults import resolved
from glasstape_server.explain.method import PASSES_AT_ONCE, BaselineKind, MethodName, Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.model import Model
from glasstape_server.serving.counterfactuals import flip_explanations
from glasstape_server.serving.explanation import Explanation, MapBatch
from glasstape_server.serving.importance import ImportanceService
from glasstape_server.serving.inputs import Inputs
from glasstape_server.serving.items import Item, group_by_model
from glasstape_server.serving.plan import EngineStep, plan
from glasstape_server.serving.requests import (
    MAP_ONLY,
    ExplainRequest,
    PredictRequest,
    QualityLevel,
    SignalRefs,
    item_count,
)

BULK_ITEMS = 1024
"""Predict calls with more items than this go to the bulk lane."""
INLINE_ITEMS = 16
"""Explanations judged on the event loop; more of them go to a worker thread."""


@dataclass(slots=True)
class Timing:
    """Where the time went, seconds."""

    queue: float = 0.0
    compute: float = 0.0

    def add(self, result: Result) -> None:
        """Add one job of the engine."""
        self.queue += result.queue_seconds
        self.compute += result.compute_seconds


@dataclass(slots=True)
class Predictions:
    """Predictions in the order of the source."""

    items: Sequence[Item]
    confidences: list[Confidence | None]
    """None: the item failed, see its `error`."""
    timing: Timing = field(default_factory=Timing)


@dataclass(slots=True)
class Explanations:
    """Explanations in the order of the source."""

    request: ExplainRequest
    items: Sequence[Item]
    explanations: list[Explanation | None]
    """None: the item failed, see its `error`."""
    timing: Timing = field(default_factory=Timing)


class Inference:
    """Predict and Explain over resolved items."""

    def __init__(self, inputs: Inputs, engine: Engine, quotas: Quotas) -> None:
        self.inputs = inputs
        self.engine = engine
        self.quotas = quotas
        self.importance = ImportanceService(inputs, engine, quotas)

    async def predict(self, request: PredictRequest, call: Call) -> Predictions:
        """Predict the items of a request. Past signals return their journaled probabilities, bit for bit.

        Raises:
            InvalidArgument: broken framing.
            NotFound: no such model.
            ResourceExhausted: the queue is full, or the caller's quota is used up.
        """
        self.quotas.charge_windows(call.principal, item_count(request.source))
        pinned = self.inputs.pin(request.source, request.model)
        items = await self.inputs.resolve(request.source, pinned, call)
        predictions = Predictions(items, [item.journaled for item in items])
        if isinstance(request.source, SignalRefs):
            return predictions
        for group in group_by_model(items):
            windows = np.stack(group.windows)
            result = await self.engine.run(
                ForecastWork(group.model), windows, predict_lane(len(windows)), call
            )
            predictions.timing.add(result)
            stated = forecasts(group.model, windows, *result.outputs)
            for place, row in enumerate(group.rows):
                predictions.confidences[row] = stated.confidence(place)
                items[row].rank_score = stated.rank_score(place)
        return predictions

    async def explain(self, request: ExplainRequest, call: Call) -> Explanations:
        """Predict and explain the items of a request, each from one pinned model version.

        Raises:
            InvalidArgument: broken framing, or baseline windows that do not fit the model.
            FailedPrecondition: the model cannot serve the method.
            NotFound: no such model.
            ResourceExhausted: the queue is full, or the caller's quota is used up.
        """
        pinned = self.inputs.pin(request.source, request.model)
        charged = _with_method(request, [pinned or self.inputs.model("")])
        self._charge(item_count(request.source), pinned, charged, call)
        with_previous = request.method_request.baseline is BaselineKind.PREVIOUS
        items = await self.inputs.resolve(
            request.source, pinned, call, with_bars=True, with_previous=with_previous
        )
        return await self._explain(items, pinned, request, call)

    async def explain_signals(
        self, sequences: Sequence[int], method: MethodName, call: Call
    ) -> list[tuple[int, Explanation]]:
        """Return maps of past signals for the feed, by sequence; a signal that cannot be explained is left out.

        Raises:
            ResourceExhausted: the queue is full, or the caller's quota is used up.
        """
        source = SignalRefs(sequences)
        request = ExplainRequest(
            source,
            Request(method, ScoreSpec(default_score(method))),
            quality=QualityLevel.NONE,
            include=MAP_ONLY,
        )
        items = await self.inputs.resolve(source, None, call, with_bars=method is MethodName.COUNTERFACTUAL)
        # A buy and its confidence are one window, which is explained once.
        keys = [(item.symbol, item.bar_close_time, item.model and item.model.ref.digest) for item in items]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        rows = sorted(first.values())
        self._charge(len(rows), None, request, call)
        explained = await self._explain([items[row] for row in rows], None, request, call)
        by_row = dict(zip(rows, explained.explanations, strict=True))
        maps = [(sequence, by_row[first[key]]) for sequence, key in zip(sequences, keys, strict=True)]
        return [(sequence, explanation) for sequence, explanation in maps if explanation is not None]

    def _charge(self, count: int, pinned: Model | None, request: ExplainRequest, call: Call) -> None:
        """Charge the passes that the items would take, before anything is looked up.

        Raises:
            ResourceExhausted: the caller's quota is used up.
            NotFound: no model is loaded.
        """
        searched = request.method_request.method is MethodName.COUNTERFACTUAL
        model = pinned or self.inputs.model("")
        passes = PASSES_AT_ONCE if searched else ExplainWork(model, request.method_request).passes
        self.quotas.charge_passes(call.principal, count * passes)

    async def _explain(
        self, items: Sequence[Item], pinned: Model | None, request: ExplainRequest, call: Call
    ) -> Explanations:
        models = [group.model for group in group_by_model(items)] if pinned is None else [pinned]
        request = _with_method(request, models)
        steps = plan(items, pinned, request)
        explained = Explanations(request, items, [None] * len(items))
        for step in steps:
            result = await self.engine.run(step.work, step.inputs, Lane.EXPLAIN, call)
            explained.timing.add(result)
            if len(step.item_indices) <= INLINE_ITEMS:
                judged = judge(step, result, items, request)
            else:
                judged = await asyncio.to_thread(judge, step, result, items, request)
            for index, explanation in zip(step.item_indices, judged, strict=True):
                explained.explanations[index] = explanation
        return explained


def judge(
    step: EngineStep, result: Result, items: Sequence[Item], request: ExplainRequest
) -> list[Explanation | None]:
    """Return the explanations of a step that has run; None: the item failed."""
    if isinstance(step.work, CounterfactualWork):
        return flip_explanations(step, result.outputs, items, request)
    maps = Maps.of(result.outputs)
    stated = forecasts(step.model, step.windows, maps.logits)
    batch = MapBatch(step.work, request.quality, request.include, step.windows, stated, maps)
    return [batch.explanation(place, items[index]) for place, index in enumerate(step.item_indices)]


def _with_method(request: ExplainRequest, models: Sequence[Model]) -> ExplainRequest:
    """Return a request with the default method of its models, if it names none.

    Raises:
        InvalidArgument: the default method takes no `samples`.
    """
    return replace(request, method_request=resolved(request.method_request, models))


def predict_lane(count: int) -> Lane:
    """Return the lane of a Predict call with so many windows."""
    return Lane.BULK if count > BULK_ITEMS else Lane.INTERACTIVE
