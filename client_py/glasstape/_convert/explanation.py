"""Explanations from the wire."""

import numpy as np
from numpy.typing import NDArray

from glasstape._convert.common import enum_from, time_from
from glasstape._convert.inference import check_from, confidence_from, direction_from, prediction_from
from glasstape.types.enums import Baseline, Method, QualityLevel, Quantity, Score, Verdict
from glasstape.types.explanation import (
    BarValues,
    Counterfactual,
    Driver,
    Explanation,
    Heatmap,
    Quality,
)
from glasstape.v1 import inference_pb2 as pb


def explanations_from(response: pb.ExplainResponse) -> list[Explanation]:
    """All explanations of a response."""
    method = enum_from(pb.Method, "METHOD_", Method, response.method)
    score = enum_from(pb.Score, "SCORE_", Score, response.score)
    baseline = enum_from(pb.Baseline, "BASELINE_", Baseline, response.baseline) if response.baseline else None
    return [explanation_from(item, method, score, baseline) for item in response.explanations]


def explanation_from(
    message: pb.Explanation, method: Method, score: Score, baseline: Baseline | None
) -> Explanation:
    """One explanation."""
    has = message.HasField
    heatmap = heatmap_from(message.heatmap) if has("heatmap") else None
    window = None
    if message.window and heatmap is not None:
        window = np.frombuffer(message.window, dtype="<f4").reshape(heatmap.values.shape)
    return Explanation(
        prediction=prediction_from(message.prediction),
        method=method,
        score_kind=score,
        baseline=baseline,
        heatmap=heatmap,
        score=message.score if has("score") else None,
        baseline_score=message.baseline_score if has("baseline_score") else None,
        completeness_error=message.completeness_error if has("completeness_error") else None,
        samples=message.samples,
        target=direction_from(message.target),
        foil=direction_from(message.foil),
        quality=_quality_from(message.quality) if has("quality") else None,
        drivers=tuple(_driver_from(item) for item in message.drivers),
        bar_close_times=tuple(time_from(item) for item in message.bar_close_times),
        window=window,
        counterfactual=_counterfactual_from(message.counterfactual) if has("counterfactual") else None,
    )


def heatmap_from(message: pb.Heatmap) -> Heatmap:
    """A map."""
    shape = (message.shape.time, message.shape.features)
    return Heatmap(
        values=_array(message.values, shape),
        quantity=enum_from(pb.Quantity, "QUANTITY_", Quantity, message.quantity),
        native_shape=(message.native_shape.time, message.native_shape.features),
        upsampled=message.upsampled,
        sign_stability=_array(message.sign_stability, shape) if message.sign_stability else None,
    )


def _array(data: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def _quality_from(message: pb.Quality) -> Quality:
    return Quality(
        level=enum_from(pb.QualityLevel, "QUALITY_LEVEL_", QualityLevel, message.level),
        verdict=enum_from(pb.Verdict, "VERDICT_", Verdict, message.verdict),
        reasons=tuple(message.reasons),
        checks=tuple(check_from(item) for item in message.checks),
    )


def _driver_from(message: pb.Driver) -> Driver:
    has = message.HasField
    return Driver(
        feature=message.feature,
        feature_index=message.feature_index,
        time_index=message.time_index,
        span=(message.span.time, message.span.features),
        value=message.value if has("value") else None,
        z_score=message.z_score if has("z_score") else None,
        attribution=message.attribution,
        share=message.share if has("share") else None,
        bar_close_time=time_from(message.bar_close_time) if has("bar_close_time") else None,
    )


def _counterfactual_from(message: pb.Counterfactual) -> Counterfactual:
    has = message.HasField
    return Counterfactual(
        found=message.found,
        hypothetical=message.hypothetical,
        direction=direction_from(message.direction),
        size=message.size,
        bar=_bar_values_from(message.bar) if has("bar") else None,
        edited_bar=_bar_values_from(message.edited_bar) if has("edited_bar") else None,
        confidence=confidence_from(message.confidence) if has("confidence") else None,
    )


def _bar_values_from(message: pb.BarValues) -> BarValues:
    return BarValues(
        open=message.open, high=message.high, low=message.low, close=message.close, volume=message.volume
    )
