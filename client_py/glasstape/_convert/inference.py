"""Inputs, predictions and models."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from glasstape._convert.common import enum_from, time_from
from glasstape._convert.market import bar_to
from glasstape.errors import InvalidRequestError, from_status
from glasstape.types.enums import CalibrationState, Direction, Entry, Method, ModelState
from glasstape.types.inference import (
    Check,
    Confidence,
    Estimate,
    Feature,
    LiveCalibration,
    Model,
    ModelRef,
    Prediction,
    ReliabilityPoint,
    ShadowRecord,
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
        return pb.Input(windows=windows_to(windows))
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


def windows_to(windows: ArrayLike, field: str = "windows") -> pb.Windows:
    """Windows (n, time, feature), or one (time, feature).

    Raises:
        InvalidRequestError: another shape.
    """
    array = np.asarray(windows, dtype="<f4")
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise InvalidRequestError.field(
            field, f"must have shape (time, feature) or (n, time, feature), has {array.shape}"
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
    return _ref(message.name, message.version, message.digest, message.feature_spec_hash)


@lru_cache(maxsize=256)
def _ref(name: str, version: str, digest: str, feature_spec_hash: str) -> ModelRef:
    return ModelRef(name=name, version=version, digest=digest, feature_spec_hash=feature_spec_hash)


_DIRECTIONS = {direction + 1: direction for direction in Direction}


def direction_of(message: pb.Confidence) -> Direction:
    """The winner.

    Raises:
        KeyError: it is not set.
    """
    return _DIRECTIONS[message.direction]


def confidence_from(message: pb.Confidence) -> Confidence:
    """Confidences."""
    return Confidence(
        direction=direction_of(message),
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
        checks=tuple(check_from(item) for item in message.checks),
        live=_live_from(message.live) if message.HasField("live") else None,
        shadow=ShadowRecord(
            compared=message.shadow.compared,
            disagreed=message.shadow.disagreed,
            against=ref_from(message.shadow.against),
        )
        if message.HasField("shadow")
        else None,
        reliability=reliability_from(message.reliability),
    )


def reliability_from(points: Iterable[pb.ReliabilityPoint]) -> tuple[ReliabilityPoint, ...]:
    """Points of a reliability diagram."""
    return tuple(
        ReliabilityPoint(
            direction=direction_from(point.direction),
            stated=point.stated,
            realised=point.realised,
            count=point.count,
        )
        for point in points
    )


def _live_from(message: pb.LiveCalibration) -> LiveCalibration:
    return LiveCalibration(
        state=enum_from(pb.CalibrationState, "CALIBRATION_STATE_", CalibrationState, message.state),
        sessions=message.sessions,
        outcomes=message.outcomes,
        winner_gap=_estimate_from(message.winner_gap),
        up_gap=_estimate_from(message.up_gap),
        band=message.band,
        novel_share=_estimate_from(message.novel_share),
        drifted=message.drifted,
    )


def _estimate_from(message: pb.Estimate) -> Estimate:
    return Estimate(value=message.value, low=message.low, high=message.high)


def check_from(message: pb.Check) -> Check:
    """One test."""
    return Check(
        name=message.name,
        value=message.value,
        limit=message.limit,
        passed=message.passed,
        text=message.text,
    )
