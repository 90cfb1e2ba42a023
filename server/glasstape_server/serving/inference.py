"""Predict and Explain, free of the wire: a request and a call in, a response out.

`Batched`, through which every wire comes, the Open Inference Protocol and the feed are thin adapters around
`Inference`.
"""

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from glasstape_server.access.quotas import Quotas
from glasstape_server.domain.values import Call, Float32s, Forecasts
from glasstape_server.engine.engine import Engine
from glasstape_server.engine.job import Lane
from glasstape_server.engine.work import PASSES_AT_ONCE, Explain, Forecast, forecasts
from glasstape_server.explain.catalog import baseline_of, check_served
from glasstape_server.explain.method import BaselineKind, MethodName, Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.explanations import request_from
from glasstape_server.rpc.convert.inference import prediction_to
from glasstape_server.serving.carried import reference_windows
from glasstape_server.serving.explanations import MAX_BACKGROUND, Wanted, explanations
from glasstape_server.serving.inputs import Inputs
from glasstape_server.serving.items import asked_for, group_by_model

BULK_ITEMS = 1024
"""Predict calls with more items than this go to the bulk lane."""


class Inference:
    """Predict and Explain over resolved inputs."""

    def __init__(self, inputs: Inputs, engine: Engine, quotas: Quotas) -> None:
        self.inputs = inputs
        self.engine = engine
        self.quotas = quotas

    async def predict(self, request: pb.PredictRequest, call: Call) -> pb.PredictResponse:
        """Answer one Predict call. Past signals get their journalled confidences, bit for bit."""
        self.quotas.charge_windows(call.principal, asked_for(request.input))
        items = await self.inputs.resolve(request.input, request.model, call)
        response = pb.PredictResponse()
        answers: dict[int, tuple[Forecasts, int]] = {}
        if request.input.WhichOneof("source") != "signals":
            for group in group_by_model(items):
                made = await self.forecast(group.model, np.stack(group.windows), call)
                answers.update({row: (made, place) for place, row in enumerate(group.rows)})
                _set_timing(response.timing, made.queue_seconds, made.compute_seconds)
        for row, item in enumerate(items):
            confidence = item.journalled
            if row in answers:
                made, place = answers[row]
                confidence = made.confidence(place)
            response.predictions.append(prediction_to(item, confidence))
        return response

    async def forecast(
        self, model: Model, windows: Float32s, call: Call, lane: Lane | None = None
    ) -> Forecasts:
        """Predict windows (batch, time, feature) with one model."""
        if lane is None:
            lane = Lane.BULK if len(windows) > BULK_ITEMS else Lane.INTERACTIVE
        result = await self.engine.run(Forecast(model), windows, lane, call)
        return forecasts(model, windows, result.columns[0], result.queue_seconds, result.compute_seconds)

    async def explain(self, message: pb.ExplainRequest, call: Call) -> pb.ExplainResponse:
        """Answer one Explain call: prediction and map of each item from one pinned model version."""
        request = request_from(message)
        source = message.input.WhichOneof("source")
        model = self.inputs.model("" if source == "signals" else message.model)
        if source != "signals":
            check_served(model, request.method)
        if message.HasField("background"):
            reference_windows(message.background, model, "background", MAX_BACKGROUND)
        self._count(asked_for(message.input), model, request, call)
        wanted = Wanted(
            request,
            message.quality or pb.QUALITY_LEVEL_FAST,
            message.baseline_windows if message.HasField("baseline_windows") else None,
            message.background if message.HasField("background") else None,
            with_windows=source != "windows",
        )
        items = await self.inputs.resolve(
            message.input,
            message.model,
            call,
            with_bars=True,
            with_previous=request.baseline is BaselineKind.PREVIOUS,
        )
        baseline = baseline_of(request)
        response = pb.ExplainResponse(
            method=pb.Method.ValueType(int(request.method)),
            score=pb.Score.ValueType(int(request.score_spec.score)),
            baseline=pb.Baseline.ValueType(int(baseline)) if baseline else pb.BASELINE_UNSPECIFIED,
        )
        made, results = await explanations(self.engine, items, wanted, call)
        for result in results:
            _set_timing(response.timing, result.queue_seconds, result.compute_seconds)
        response.explanations.extend(made)
        return response

    def _count(self, count: int, model: Model, request: Request, call: Call) -> None:
        searched = request.method is MethodName.COUNTERFACTUAL
        each = PASSES_AT_ONCE if searched else Explain(model, request).passes
        self.quotas.charge_passes(call.principal, count * each)

    async def explain_signals(
        self, sequences: list[int], method: MethodName, call: Call
    ) -> list[pb.Explanation]:
        """Maps of past signals for the feed, in order.

        Raises:
            ResourceExhausted: the queue is full, or the caller's quota used up.
        """
        refs = pb.SignalRefs(sequences=sequences)
        items = await self.inputs.resolve(pb.Input(signals=refs), "", call, with_bars=True)
        # A buy and its confidence are one window: it is explained once.
        keys = [(i.symbol, i.bar_close_time, i.model and i.model.ref.digest, i.error) for i in items]
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        rows = sorted(first.values())
        wanted = Wanted(Request(method, ScoreSpec()))
        self._count(len(rows), self.inputs.model(""), wanted.request, call)
        made, _ = await explanations(self.engine, [items[row] for row in rows], wanted, call)
        by_row = dict(zip(rows, made, strict=True))
        return [by_row[first[key]] for key in keys]


def _set_timing(timing: pb.Timing, queue: float, compute: float) -> None:
    for field, seconds in ((timing.queue_time, queue), (timing.compute_time, compute)):
        total = Duration()
        total.FromMicroseconds(field.ToMicroseconds() + int(seconds * 1e6))
        field.CopyFrom(total)
