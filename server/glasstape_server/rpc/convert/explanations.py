"""Explanations for the wire."""

from collections.abc import Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import signals_pb2

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.explain.catalog import baseline_of
from glasstape_server.explain.drivers import Driver
from glasstape_server.explain.method import Quantity, Request, Shape
from glasstape_server.explain.trust import Trust
from glasstape_server.explain.units import feature_scale
from glasstape_server.explain.verdict import QualityVerdict
from glasstape_server.models.manifest import Check
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.convert.predictions import (
    ModelTable,
    confidence_to,
    direction_to,
    prediction_to,
    timing_to,
)
from glasstape_server.rpc.status import problem_of
from glasstape_server.serving.explanation import Counterfactual, Explanation
from glasstape_server.serving.inference import Explanations
from glasstape_server.serving.items import Item
from glasstape_server.serving.requests import MAP_ONLY, Include, QualityLevel, Windows


def explain_response_to(explained: Explanations) -> pb.ExplainResponse:
    """Return the response of an Explain call."""
    request, table = explained.request, ModelTable()
    # A caller that sent the windows has them.
    include_window = request.include.window and not isinstance(request.source, Windows)
    results = []
    for item, explanation in zip(explained.items, explained.explanations, strict=True):
        if explanation is None:
            results.append(failure_to(item))
            continue
        message = explanation_to(explanation, request.include, request.quality, table)
        if include_window:
            message.window.extend(_floats(item.window))
        results.append(pb.ExplanationResult(explanation=message))
    response = request_to(request.method_request)
    response.results.extend(results)
    response.models.extend(table.messages())
    response.timing.CopyFrom(timing_to(explained.timing))
    return response


def heatmaps_to(maps: Sequence[tuple[int, Explanation]]) -> signals_pb2.SignalHeatmaps:
    """Return the heat maps of a feed, by sequence: each is its map and score alone."""
    table = ModelTable()
    messages = [
        signals_pb2.SignalHeatmap(
            sequence=sequence,
            explanation=explanation_to(explanation, MAP_ONLY, QualityLevel.NONE, table),
        )
        for sequence, explanation in maps
    ]
    return signals_pb2.SignalHeatmaps(heatmaps=messages, models=table.messages())


def request_to(request: Request) -> pb.ExplainResponse:
    """Return the part of a response that says how its maps were computed."""
    baseline = baseline_of(request)
    return pb.ExplainResponse(
        method=pb.Explanation.Method.ValueType(int(request.method)),
        score=pb.Explanation.Score.ValueType(int(request.score_spec.score)),
        baseline=pb.Explanation.Baseline.ValueType(int(baseline or 0)),
    )


def failure_to(item: Item) -> pb.ExplanationResult:
    """Return the result of an item that failed."""
    assert item.error is not None  # an item without an explanation has an error
    return pb.ExplanationResult(problem=problem_of(item.error), symbol=item.symbol)


def explanation_to(
    explanation: Explanation, include: Include, quality: QualityLevel, table: ModelTable
) -> pb.Explanation:
    """Return one explanation without its window."""
    item, model = explanation.item, explanation.item.model
    assert model is not None  # an explained item has one
    message = pb.Explanation(
        model_index=table.index(model.ref),
        heatmap=_heatmap_to(explanation),
        score=explanation.score,
        baseline_score=explanation.baseline_score,
        completeness_error=explanation.completeness_error,
        samples=explanation.samples,
        target=direction_to(explanation.target),
        foil=direction_to(explanation.foil),
    )
    if explanation.quality is not None:
        message.quality.CopyFrom(quality_to(explanation.quality, quality))
    if include.prediction:
        message.prediction.CopyFrom(prediction_to(item, explanation.confidence, table))
    if include.drivers:
        message.drivers.extend(driver_to(d, model, item.close_times) for d in explanation.drivers)
    if include.bar_close_times:
        message.bar_close_times.extend(timestamp(time) for time in item.close_times)
    if explanation.counterfactual is not None:
        message.counterfactual.CopyFrom(_counterfactual_to(explanation.counterfactual))
    return message


def _heatmap_to(explanation: Explanation) -> pb.Heatmap:
    model = explanation.item.model
    assert model is not None  # an explained item has one
    return heatmap_to(
        _floats(explanation.values),
        explanation.quantity,
        explanation.native_shape,
        (explanation.values.shape[0], explanation.values.shape[1]),
        stability=explanation.sign_stability,
        scale=feature_scale(explanation.quantity, model.statistics.deviation.numpy()),
    )


def heatmap_to(
    values: Sequence[float],
    quantity: Quantity,
    native: Shape,
    shape: Shape,
    *,
    stability: Float32s | None = None,
    scale: Float32s | None = None,
) -> pb.Heatmap:
    """Return a map of cells in row order, with the resolution of its method and what makes it comparable."""
    return pb.Heatmap(
        values=values,
        quantity=pb.Heatmap.Quantity.ValueType(int(quantity)),
        native_shape=pb.Heatmap.Shape(time=native[0], features=native[1]),
        upsampled=native != shape,
        shape=pb.Heatmap.Shape(time=shape[0], features=shape[1]),
        sign_stability=_floats(stability),
        feature_scale=_floats(scale),
    )


def quality_to(verdict: QualityVerdict, level: QualityLevel) -> pb.Quality:
    """Return a verdict."""
    return pb.Quality(
        level=pb.QualityLevel.ValueType(int(level)),
        verdict=pb.Quality.Verdict.ValueType(int(verdict.verdict)),
        reasons=verdict.reasons,
        checks=[check_to(check) for check in verdict.checks],
        trust=None if verdict.trust is None else _trust_to(verdict.trust),
    )


def _trust_to(trust: Trust) -> pb.Trust:
    return pb.Trust(
        value=trust.value,
        level=pb.Trust.TrustLevel.ValueType(int(trust.level)),
        average_precision=trust.average_precision,
        maps=trust.maps,
    )


def check_to(check: Check) -> pb.CheckResult:
    """Return one test."""
    return pb.CheckResult(
        name=check.name, value=check.value, limit=check.limit, passed=check.passed, text=check.text
    )


def driver_to(driver: Driver, model: Model, close_times: Sequence[int]) -> pb.Driver:
    """Return one driver; it names its feature if it covers only one."""
    message = pb.Driver(
        feature=model.spec.names[driver.feature_index] if driver.span[1] == 1 else "",
        feature_index=driver.feature_index,
        time_index=driver.time_index,
        value=driver.value,
        z_score=driver.z_score,
        attribution=driver.attribution,
        share=driver.share,
        span=pb.Heatmap.Shape(time=driver.span[0], features=driver.span[1]),
    )
    if close_times:
        message.bar_close_time.CopyFrom(timestamp(close_times[driver.time_index]))
    return message


def _counterfactual_to(flip: Counterfactual) -> pb.Counterfactual:
    return pb.Counterfactual(
        found=flip.found,
        hypothetical=flip.hypothetical,
        direction=direction_to(flip.direction),
        size=flip.size,
        bar=None if flip.bar is None else _bar_values_to(flip.bar),
        edited_bar=None if flip.edited_bar is None else _bar_values_to(flip.edited_bar),
        confidence=None if flip.confidence is None else confidence_to(flip.confidence),
    )


def _bar_values_to(values: Floats) -> pb.BarValues:
    open_, high, low, close, volume = values.tolist()
    return pb.BarValues(open=open_, high=high, low=low, close=close, volume=volume)


def _floats(values: Float32s | None) -> list[float]:
    return [] if values is None else np.asarray(values, dtype=np.float32).ravel().tolist()
