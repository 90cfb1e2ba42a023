"""Predictions, explanations and models for the wire."""

from datetime import datetime

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain import SECOND, Confidence, Direction, Float32s
from glasstape_server.errors import InvalidArgument
from glasstape_server.explain import catalogue
from glasstape_server.explain.drivers import Driver
from glasstape_server.explain.method import BaselineKind, MethodName, Request
from glasstape_server.explain.scores import Question, Score
from glasstape_server.explain.verdict import Judgement
from glasstape_server.models.artefact import Model
from glasstape_server.models.repository import Refusal
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.convert.signals import (
    DIRECTIONS,
    ENTRIES,
    confidence_to,
    direction_from,
    ref_to,
)
from glasstape_server.rpc.errors import status_of
from glasstape_server.rpc.inputs import Item

MAX_SAMPLES = 512


def request_from(message: pb.ExplainRequest) -> Request:
    """How an Explain request wants its maps.

    Raises:
        InvalidArgument: an enum value or a combination that there is not.
        Unimplemented: the method is not at hand.
    """
    name = MethodName(_enum("method", message.method, len(MethodName)) or MethodName.GRADIENT)
    if message.samples > MAX_SAMPLES:
        raise InvalidArgument.field("samples", f"must be 0-{MAX_SAMPLES}, is {message.samples}")
    _enum("quality", message.quality, 3)
    baseline = _enum("baseline", message.baseline, len(BaselineKind))
    question = Question(
        Score(_enum("score", message.score, len(Score)) or Score.MARGIN),
        direction_from(_enum("target", message.target, 3)),
        direction_from(_enum("foil", message.foil, 3)),
    )
    catalogue.method(name)
    return Request(
        name, question, BaselineKind(baseline) if baseline else None, message.samples, message.seed
    )


def method_from(value: int, field: str) -> MethodName:
    """A method of a request field that must name one at hand."""
    name = MethodName(_enum(field, value, len(MethodName)) or MethodName.GRADIENT)
    catalogue.method(name)
    return name


def prediction_to(item: Item, confidence: Confidence | None) -> pb.Prediction:
    """One prediction; the item's error if it has one."""
    message = pb.Prediction(symbol=item.symbol)
    if item.model is not None:
        message.model.CopyFrom(ref_to(item.model.ref))
    if item.bar_close_time is not None:
        message.bar_close_time.CopyFrom(timestamp(item.bar_close_time))
    if item.error is not None:
        message.error.CopyFrom(status_of(item.error))
    elif confidence is not None:
        message.confidence.CopyFrom(confidence_to(confidence))
    return message


def heatmap_to(values: Float32s, request: Request) -> pb.Heatmap:
    """A full-resolution map."""
    steps, width = values.shape
    return pb.Heatmap(
        values=np.ascontiguousarray(values, dtype="<f4").tobytes(),
        quantity=pb.Quantity.ValueType(int(catalogue.method(request.method).quantity)),
        native_shape=pb.Shape(time=steps, features=width),
        upsampled=False,
        shape=pb.Shape(time=steps, features=width),
    )


def direction_to(class_index: int) -> pb.Direction.ValueType:
    """A direction for the wire; UNSPECIFIED for -1."""
    return DIRECTIONS[Direction(class_index)] if class_index >= 0 else pb.DIRECTION_UNSPECIFIED


def quality_to(judgement: Judgement) -> pb.Quality:
    """A FAST verdict."""
    return pb.Quality(
        level=pb.QUALITY_LEVEL_FAST,
        verdict=pb.Verdict.ValueType(int(judgement.verdict)),
        reasons=judgement.reasons,
    )


def driver_to(driver: Driver, model: Model) -> pb.Driver:
    """One driver."""
    return pb.Driver(
        feature=model.spec.names[driver.feature_index],
        feature_index=driver.feature_index,
        time_index=driver.time_index,
        value=driver.value,
        z_score=driver.z_score,
        attribution=driver.attribution,
        share=driver.share,
    )


def model_to(model: Model, active: bool) -> pb.Model:
    """The description of a ready model."""
    manifest, spec, rule = model.manifest, model.spec, model.label_rule
    mean, deviation = model.statistics.mean.tolist(), model.statistics.deviation.tolist()
    data = manifest.data
    return pb.Model(
        ref=ref_to(model.ref),
        state=pb.MODEL_STATE_ACTIVE if active else pb.MODEL_STATE_READY,
        architecture=manifest.architecture.name,
        time_steps=spec.window_bars,
        features=[
            pb.Feature(name=name, description=text, mean=m, standard_deviation=d)
            for name, text, m, d in zip(spec.names, spec.descriptions, mean, deviation, strict=True)
        ],
        min_bars=spec.min_bars,
        interval=manifest.interval,
        horizon_bars=rule.horizon_bars,
        entry=ENTRIES[rule.entry],
        label_rule=rule.text,
        temperature=manifest.temperature,
        abstain_threshold=manifest.thresholds.abstain,
        buy_ramp_low=manifest.thresholds.buy_ramp_low,
        buy_ramp_high=manifest.thresholds.buy_ramp_high,
        alert_threshold=manifest.thresholds.alert,
        methods=[pb.Method.ValueType(int(name)) for name in catalogue.METHODS],
        metrics=[pb.Metric(name=name, value=value) for name, value in sorted(manifest.metrics.items())],
        training_data=(
            f"{', '.join(data.symbols[:20])}{' ...' if len(data.symbols) > 20 else ''}; "
            f"training {_day(data.training.first_close)} to {_day(data.training.last_close)}, "
            f"validation to {_day(data.validation.last_close)}; seed {data.seed}; SHA-256 {data.sha256}"
        ),
        seen_until=timestamp(int(data.validation.last_close.timestamp()) * SECOND),
    )


def refusal_to(refusal: Refusal) -> pb.Model:
    """The description of a refused model."""
    return pb.Model(
        ref=pb.ModelRef(name=refusal.name, version=refusal.version),
        state=pb.MODEL_STATE_REFUSED,
        refusal=refusal.reason,
    )


def _enum(field: str, value: int, largest: int) -> int:
    if not 0 <= value <= largest:
        raise InvalidArgument.field(field, f"must be a value of the enum (0-{largest}), is {value}")
    return value


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
