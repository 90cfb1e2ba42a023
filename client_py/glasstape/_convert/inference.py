"""Inputs, predictions, explanations and models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from glasstape._convert.common import enum_from, time_from
from glasstape._convert.market import bar_to
from glasstape.errors import InvalidRequestError, from_status
from glasstape.types.enums import (
    Baseline,
    Direction,
    Entry,
    Method,
    ModelState,
    QualityLevel,
    Quantity,
    Score,
    Verdict,
)
from glasstape.types.inference import (
    Confidence,
    Driver,
    Explanation,
    Feature,
    Heatmap,
    Model,
    ModelRef,
    Prediction,
    Quality,
)
from glasstape.types.market import Bar
from glasstape.v1 import inference_pb2 as pb


def input_to(
    windows: ArrayLike | None,
    bars: Sequence[Sequence[Bar]] | None,
    symbols: Sequence[str] | None,
    signals: Sequence[int] | None,
) -> pb.Input:
    """The one source that is given.

    Raises:
        InvalidRequestError: none or several are given, or `windows` has no window's shape.
    """
    given = [
        name
        for name, value in (
            ("windows", windows),
            ("bars", bars),
            ("symbols", symbols),
            ("signals", signals),
        )
        if value is not None
    ]
    if len(given) != 1:
        raise InvalidRequestError.field(
            "input", f"give one of windows, bars, symbols, signals; given: {given}"
        )
    if windows is not None:
        return pb.Input(windows=_windows_to(windows))
    if bars is not None:
        series = [pb.BarSequence(bars=[bar_to(bar) for bar in sequence]) for sequence in bars]
        return pb.Input(bars=pb.BarSeries(series=series))
    if symbols is not None:
        if isinstance(symbols, str):
            raise InvalidRequestError.field(
                "symbols", f"must be a sequence of symbols, is the text {symbols!r}"
            )
        return pb.Input(symbols=pb.Symbols(symbols=symbols))
    return pb.Input(signals=pb.SignalRefs(sequences=signals or ()))


def _windows_to(windows: ArrayLike) -> pb.Windows:
    array = np.asarray(windows, dtype="<f4")
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise InvalidRequestError.field(
            "windows", f"must have shape (time, feature) or (n, time, feature), has {array.shape}"
        )
    return pb.Windows(count=len(array), data=array.tobytes())


def direction_to(direction: Direction | str | None, field: str) -> pb.Direction.ValueType:
    """A wire direction; UNSPECIFIED for None.

    Raises:
        InvalidRequestError: no such direction.
    """
    if direction is None:
        return pb.DIRECTION_UNSPECIFIED
    try:
        index = Direction[direction.upper()] if isinstance(direction, str) else Direction(direction)
    except (KeyError, ValueError):
        raise InvalidRequestError.field(field, f"must be DOWN, FLAT or UP, is {direction!r}") from None
    return pb.Direction.ValueType(index + 1)


def direction_from(value: int) -> Direction | None:
    """A direction; None for UNSPECIFIED."""
    return Direction(value - 1) if value else None


def ref_from(message: pb.ModelRef) -> ModelRef:
    """A model's identity."""
    return ModelRef(
        name=message.name,
        version=message.version,
        digest=message.digest,
        feature_spec_hash=message.feature_spec_hash,
    )


def confidence_from(message: pb.Confidence) -> Confidence:
    """Confidences."""
    return Confidence(
        direction=Direction(message.direction - 1),
        down=message.down,
        flat=message.flat,
        up=message.up,
        abstained=message.abstained,
        novelty=message.novelty,
    )


def prediction_from(message: pb.Prediction) -> Prediction:
    """One prediction."""
    failed = message.WhichOneof("result") == "error"
    return Prediction(
        model=ref_from(message.model) if message.HasField("model") else None,
        confidence=None if failed else confidence_from(message.confidence),
        error=from_status(message.error) if failed else None,
        symbol=message.symbol,
        bar_close_time=time_from(message.bar_close_time) if message.HasField("bar_close_time") else None,
    )


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
    return Explanation(
        prediction=prediction_from(message.prediction),
        method=method,
        score_kind=score,
        baseline=baseline,
        heatmap=heatmap_from(message.heatmap) if has("heatmap") else None,
        score=message.score if has("score") else None,
        baseline_score=message.baseline_score if has("baseline_score") else None,
        completeness_error=message.completeness_error if has("completeness_error") else None,
        samples=message.samples,
        target=direction_from(message.target),
        foil=direction_from(message.foil),
        quality=_quality_from(message.quality) if has("quality") else None,
        drivers=tuple(_driver_from(item) for item in message.drivers),
    )


def heatmap_from(message: pb.Heatmap) -> Heatmap:
    """A map."""
    values = np.frombuffer(message.values, dtype="<f4")
    return Heatmap(
        values=values.reshape(message.shape.time, message.shape.features),
        quantity=enum_from(pb.Quantity, "QUANTITY_", Quantity, message.quantity),
        native_shape=(message.native_shape.time, message.native_shape.features),
        upsampled=message.upsampled,
    )


def model_from(message: pb.Model) -> Model:
    """A model's description."""
    return Model(
        ref=ref_from(message.ref),
        state=enum_from(pb.ModelState, "MODEL_STATE_", ModelState, message.state),
        refusal=message.refusal,
        architecture=message.architecture,
        time_steps=message.time_steps,
        features=tuple(
            Feature(
                name=f.name,
                description=f.description,
                mean=f.mean,
                standard_deviation=f.standard_deviation,
            )
            for f in message.features
        ),
        min_bars=message.min_bars,
        interval=message.interval,
        horizon_bars=message.horizon_bars,
        entry=enum_from(pb.Entry, "ENTRY_", Entry, message.entry),
        label_rule=message.label_rule,
        temperature=message.temperature,
        abstain_threshold=message.abstain_threshold,
        buy_ramp_low=message.buy_ramp_low,
        buy_ramp_high=message.buy_ramp_high,
        alert_threshold=message.alert_threshold,
        methods=tuple(enum_from(pb.Method, "METHOD_", Method, value) for value in message.methods),
        metrics={metric.name: metric.value for metric in message.metrics},
        training_data=message.training_data,
        seen_until=time_from(message.seen_until) if message.HasField("seen_until") else None,
    )


def _quality_from(message: pb.Quality) -> Quality:
    return Quality(
        level=enum_from(pb.QualityLevel, "QUALITY_LEVEL_", QualityLevel, message.level),
        verdict=enum_from(pb.Verdict, "VERDICT_", Verdict, message.verdict),
        reasons=tuple(message.reasons),
    )


def _driver_from(message: pb.Driver) -> Driver:
    return Driver(
        feature=message.feature,
        feature_index=message.feature_index,
        time_index=message.time_index,
        value=message.value,
        z_score=message.z_score,
        attribution=message.attribution,
        share=message.share if message.HasField("share") else None,
    )
