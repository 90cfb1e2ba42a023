"""Predict and Explain, free of the wire: a request and a call in, a response out.

The servicers below, the Open Inference Protocol and any other wire are thin adapters around
`Inference`.
"""

import asyncio
import math
from functools import partial

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc as pb_grpc
from google.protobuf.duration_pb2 import Duration

from glasstape_server.domain import Call, Float32s, Forecasts
from glasstape_server.engine.engine import Engine, Lane, Result
from glasstape_server.engine.work import Explain, Forecast, forecasts
from glasstape_server.errors import Unimplemented
from glasstape_server.explain import catalogue
from glasstape_server.explain.drivers import drivers
from glasstape_server.explain.method import Request
from glasstape_server.explain.verdict import Verdict, judge_fast
from glasstape_server.models.artefact import Model
from glasstape_server.models.repository import Repository
from glasstape_server.rpc.convert.inference import (
    direction_to,
    driver_to,
    heatmap_to,
    model_to,
    prediction_to,
    quality_to,
    refusal_to,
    request_from,
)
from glasstape_server.rpc.handlers import Context, answered, call_of
from glasstape_server.rpc.inputs import Group, Inputs, Item, group_by_model

BULK_ITEMS = 1024
"""Predict calls with more items than this go to the bulk lane."""


INLINE_ITEMS = 16
"""Explanations written on the event loop; for more of them a thread is worth its start."""


class Inference:
    """Predict and Explain over resolved inputs."""

    def __init__(self, inputs: Inputs, engine: Engine) -> None:
        self.inputs = inputs
        self._engine = engine

    async def predict(self, request: pb.PredictRequest, call: Call) -> pb.PredictResponse:
        """Answer one Predict call. Past signals get their journalled confidences, bit for bit."""
        items = await self.inputs.resolve(request.input, request.model)
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
        result = await self._engine.run(Forecast(model), windows, lane, call)
        return forecasts(model, windows, result.columns[0], result.queue_seconds, result.compute_seconds)

    async def explain(self, message: pb.ExplainRequest, call: Call) -> pb.ExplainResponse:
        """Answer one Explain call: prediction and map of each item from one pinned model version."""
        request = request_from(message)
        if message.quality == pb.QUALITY_LEVEL_FULL:
            raise Unimplemented(
                "QUALITY_UNIMPLEMENTED", "quality: FULL is not implemented; at hand: NONE, FAST"
            )
        items = await self.inputs.resolve(message.input, message.model)
        baseline = catalogue.baseline_of(request)
        response = pb.ExplainResponse(
            method=pb.Method.ValueType(int(request.method)),
            score=pb.Score.ValueType(int(request.question.score)),
            baseline=pb.Baseline.ValueType(int(baseline)) if baseline else pb.BASELINE_UNSPECIFIED,
        )
        judged = message.quality != pb.QUALITY_LEVEL_NONE
        made = await self.explanations(items, request, call, judged=judged, timing=response.timing)
        response.explanations.extend(made)
        return response

    async def explanations(
        self,
        items: list[Item],
        request: Request,
        call: Call,
        *,
        judged: bool = True,
        timing: pb.Timing | None = None,
    ) -> list[pb.Explanation]:
        """Explain resolved items, in order."""
        made = [pb.Explanation(prediction=prediction_to(item, None)) for item in items]
        for group in group_by_model(items):
            windows = np.stack(group.windows)
            result = await self._engine.run(Explain(group.model, request), windows, Lane.EXPLAIN, call)
            if timing is not None:
                _set_timing(timing, result.queue_seconds, result.compute_seconds)
            fill = partial(_fill, made, items, group, windows, result, request, judged)
            if len(windows) <= INLINE_ITEMS:
                fill()
            else:
                await asyncio.to_thread(fill)
        return made


def _fill(
    made: list[pb.Explanation],
    items: list[Item],
    group: Group,
    windows: Float32s,
    result: Result,
    request: Request,
    judged: bool,
) -> None:
    """Write a group's maps into their explanations."""
    model, quantity = group.model, catalogue.method(request.method).quantity
    logits, values, target, foil, score, baseline, error, samples = result.columns
    stated = forecasts(model, windows, logits)
    mean, deviation = model.statistics.mean.numpy(), model.statistics.deviation.numpy()
    for place, row in enumerate(group.rows):
        message, item, map_ = made[row], items[row], values[place]
        confidence = item.journalled or stated.confidence(place)
        message.prediction.CopyFrom(prediction_to(item, confidence))
        message.heatmap.CopyFrom(heatmap_to(map_, request))
        message.score = float(score[place])
        message.target = direction_to(int(target[place]))
        message.foil = direction_to(int(foil[place]))
        message.samples = int(samples[place])
        difference = completeness = None
        if not math.isnan(baseline[place]):
            message.baseline_score = float(baseline[place])
            difference = float(score[place] - baseline[place])
        if not math.isnan(error[place]):
            message.completeness_error = completeness = float(error[place])
        judgement = judge_fast(map_, quantity, difference, completeness)
        if judged:
            message.quality.CopyFrom(quality_to(judgement))
        if judgement.verdict is not Verdict.DEGENERATE:
            found = drivers(windows[place], map_, mean, deviation, quantity)
            message.drivers.extend(driver_to(driver, model) for driver in found)


def _set_timing(timing: pb.Timing, queue: float, compute: float) -> None:
    for field, seconds in ((timing.queue_time, queue), (timing.compute_time, compute)):
        total = Duration()
        total.FromMicroseconds(field.ToMicroseconds() + int(seconds * 1e6))
        field.CopyFrom(total)


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """The gRPC adapter."""

    def __init__(self, inference: Inference, repository: Repository) -> None:
        self._inference = inference
        self._repository = repository

    @answered
    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """See inference.proto."""
        return await self._inference.predict(request, call_of(context))

    @answered
    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        """See inference.proto."""
        return await self._inference.explain(request, call_of(context))

    @answered
    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:
        """See inference.proto."""
        model = self._repository.get(request.model)
        return pb.GetModelResponse(model=model_to(model, model is self._repository.active))

    @answered
    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:
        """See inference.proto."""
        ready = self._repository.models()
        active = self._repository.active if ready else None
        models = [model_to(model, model is active) for model in ready]
        models += [refusal_to(refusal) for refusal in self._repository.refusals()]
        return pb.ListModelsResponse(models=models)
