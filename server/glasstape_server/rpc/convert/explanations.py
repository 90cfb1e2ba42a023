"""Explain requests from the wire, maps and what goes with them to it."""

from collections.abc import Sequence

import numpy as np
from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.values import Direction, Float32s, Floats
from glasstape_server.explain.catalog import METHODS
from glasstape_server.explain.drivers import Driver
from glasstape_server.explain.method import BaselineKind, MethodName, Quantity, Request, Shape
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.explain.verdict import Judgment
from glasstape_server.models.manifest import Check
from glasstape_server.models.model import Model
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.convert.signals import DIRECTIONS, direction_from

MAX_SEED = (1 << 63) - 1
"""Largest seed that torch takes."""


def request_from(message: pb.ExplainRequest) -> Request:
    """How an Explain request wants its maps.

    Raises:
        InvalidArgument: an enum value, a number or a combination that there is not.
    """
    name = method_from(message.method, "method")
    enum_from("quality", message.quality, 3)
    if message.seed > MAX_SEED:
        raise InvalidArgument.field("seed", f"must be 0-{MAX_SEED}, is {message.seed}")
    score_spec = ScoreSpec(
        Score(enum_from("score", message.score, len(Score)) or Score.MARGIN),
        direction_from(enum_from("target", message.target, 3)),
        direction_from(enum_from("foil", message.foil, 3)),
    )
    request = Request(
        name,
        score_spec,
        _baseline_from(message),
        message.samples,
        message.seed,
        message.background.data if message.HasField("background") else b"",
        checked=message.quality == pb.QUALITY_LEVEL_FULL,
    )
    _check_samples(request)
    _check_baseline(request, message)
    if name is MethodName.COUNTERFACTUAL:
        _check_counterfactual(score_spec)
    return request


def method_from(value: int, field: str) -> MethodName:
    """A method; unset means the original's."""
    return MethodName(enum_from(field, value, len(MethodName)) or MethodName.GRADIENT)


def enum_from(field: str, value: int, largest: int) -> int:
    """A value of an enum.

    Raises:
        InvalidArgument: there is no such value.
    """
    if not 0 <= value <= largest:
        raise InvalidArgument.field(field, f"must be a value of the enum (0-{largest}), is {value}")
    return value


def _baseline_from(message: pb.ExplainRequest) -> BaselineKind | None:
    value = enum_from("baseline", message.baseline, len(BaselineKind))
    if value == 0 and message.HasField("baseline_windows"):
        return BaselineKind.CUSTOM
    return BaselineKind(value) if value else None


def _check_samples(request: Request) -> None:
    most = METHODS[request.method].max_samples if request.method in METHODS else 0
    if request.samples > most:
        rule = f"must be 0-{most}" if most else "must be unset"
        raise InvalidArgument.field(
            "samples", f"{rule} with METHOD_{request.method.name}, is {request.samples}"
        )


def _check_baseline(request: Request, message: pb.ExplainRequest) -> None:
    method, kind = f"METHOD_{request.method.name}", request.baseline
    takes = METHODS[request.method].default_baseline if request.method in METHODS else None
    if kind is not None and takes is None:
        raise InvalidArgument.field("baseline", f"must be unset with {method}, is BASELINE_{kind.name}")
    if kind is not None and (takes is BaselineKind.BACKGROUND) is not (kind is BaselineKind.BACKGROUND):
        rule = "BASELINE_BACKGROUND goes with METHOD_EXPECTED_GRADIENTS alone, which takes no other"
        raise InvalidArgument.field("baseline", f"{rule}; is BASELINE_{kind.name} with {method}")
    custom = message.HasField("baseline_windows")
    if custom and kind is not BaselineKind.CUSTOM:
        name = "unset" if kind is None else f"BASELINE_{kind.name}"
        raise InvalidArgument.field(
            "baseline_windows", f"only BASELINE_CUSTOM takes them, baseline is {name}"
        )
    if kind is BaselineKind.CUSTOM and not custom:
        raise InvalidArgument.field("baseline_windows", "must be set with BASELINE_CUSTOM")
    if message.HasField("background") and takes is not BaselineKind.BACKGROUND:
        rule = f"only METHOD_EXPECTED_GRADIENTS takes a background, method is {method}"
        raise InvalidArgument.field("background", rule)


def _check_counterfactual(score_spec: ScoreSpec) -> None:
    if score_spec.score is not Score.MARGIN:
        rule = f"must be SCORE_MARGIN with METHOD_COUNTERFACTUAL, is SCORE_{score_spec.score.name}"
        raise InvalidArgument.field("score", rule)
    if score_spec.target is not None:
        rule = "must be unset with METHOD_COUNTERFACTUAL, which starts from each row's own winner"
        raise InvalidArgument.field("target", f"{rule}; is DIRECTION_{score_spec.target.name}")


def heatmap_to(
    values: Float32s, quantity: Quantity, native: Shape, stability: Float32s | None = None
) -> pb.Heatmap:
    """A map, with the resolution at which its method spoke."""
    steps, width = values.shape
    return pb.Heatmap(
        values=_bytes(values),
        quantity=pb.Quantity.ValueType(int(quantity)),
        native_shape=pb.Shape(time=native[0], features=native[1]),
        upsampled=native != (steps, width),
        shape=pb.Shape(time=steps, features=width),
        sign_stability=b"" if stability is None else _bytes(stability),
    )


def direction_to(class_index: int) -> pb.Direction.ValueType:
    """A direction for the wire; UNSPECIFIED for -1."""
    return DIRECTIONS[Direction(class_index)] if class_index >= 0 else pb.DIRECTION_UNSPECIFIED


def quality_to(judgement: Judgment, level: pb.QualityLevel.ValueType) -> pb.Quality:
    """A verdict."""
    return pb.Quality(
        level=level,
        verdict=pb.Verdict.ValueType(int(judgement.verdict)),
        reasons=judgement.reasons,
        checks=[check_to(check) for check in judgement.checks],
    )


def check_to(check: Check) -> pb.Check:
    """One test."""
    return pb.Check(
        name=check.name, value=check.value, limit=check.limit, passed=check.passed, text=check.text
    )


def driver_to(driver: Driver, model: Model, close_times: Sequence[int]) -> pb.Driver:
    """One driver; its feature is named if it is one."""
    message = pb.Driver(
        feature=model.spec.names[driver.feature_index] if driver.span[1] == 1 else "",
        feature_index=driver.feature_index,
        time_index=driver.time_index,
        value=driver.value,
        z_score=driver.z_score,
        attribution=driver.attribution,
        share=driver.share,
        span=pb.Shape(time=driver.span[0], features=driver.span[1]),
    )
    if close_times:
        message.bar_close_time.CopyFrom(timestamp(close_times[driver.time_index]))
    return message


def bar_values_to(values: Floats) -> pb.BarValues:
    """Open, high, low, close, volume."""
    open_, high, low, close, volume = values.tolist()
    return pb.BarValues(open=open_, high=high, low=low, close=close, volume=volume)


def _bytes(values: Float32s) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()
