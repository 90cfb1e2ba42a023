"""Predict and Explain requests from the wire."""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_SEED
from glasstape_server.explain.catalog import METHODS, default_method, default_score
from glasstape_server.explain.method import BaselineKind, MethodName, Request
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.rpc.convert.market import bar_from
from glasstape_server.rpc.convert.predictions import direction_from
from glasstape_server.serving.requests import (
    BarSeries,
    ExplainRequest,
    Include,
    PredictRequest,
    QualityLevel,
    SignalRefs,
    Source,
    Symbols,
    Windows,
)


def predict_request_from(message: pb.PredictRequest) -> PredictRequest:
    """Return a Predict request.

    Raises:
        InvalidArgument: the source is unset.
    """
    return PredictRequest(source_from(message.input), message.model)


def source_from(message: pb.PredictionInput) -> Source:
    """Return a source. Converting bars takes time that grows with their number: not on the event loop.

    Raises:
        InvalidArgument: it is unset.
    """
    match message.WhichOneof("source"):
        case "windows":
            return windows_from(message.windows)
        case "bars":
            return BarSeries([[bar_from(bar) for bar in series.bars] for series in message.bars.series])
        case "symbols":
            return Symbols(list(message.symbols.symbols))
        case "signals":
            return SignalRefs(list(message.signals.sequences), message.signals.epoch)
    raise InvalidArgument.field("input.source", "must be set: windows, bars, symbols or signals")


def windows_from(message: pb.Windows) -> Windows:
    """Return ready windows, not yet checked."""
    if not message.HasField("shape"):
        return Windows(message.count, message.data)
    return Windows(message.count, message.data, (message.shape.time, message.shape.features))


def explain_request_from(message: pb.ExplainRequest) -> ExplainRequest:
    """Return an Explain request.

    Raises:
        InvalidArgument: an unset source, or a value or combination of values that is not allowed.
    """
    method_request, quality, include = _checked(_options_from(message))
    background = windows_from(message.background) if message.HasField("background") else None
    if background is not None:
        method_request = replace(method_request, background=background.data)
    return ExplainRequest(
        source=source_from(message.input),
        method_request=method_request,
        model=message.model,
        quality=quality,
        baseline_windows=windows_from(message.baseline_windows)
        if message.HasField("baseline_windows")
        else None,
        background=background,
        include=include,
    )


def method_from(value: int, field: str, *, checked: bool = False) -> MethodName:
    """Return a method; METHOD_UNSPECIFIED is the default for maps that are `checked` or not.

    Raises:
        InvalidArgument: the enum has no such value.
    """
    return MethodName(enum_from(field, value, len(MethodName)) or default_method(checked=checked))


def enum_from(field: str, value: int, largest: int) -> int:
    """Return a value of an enum.

    Raises:
        InvalidArgument: the enum has no such value.
    """
    if not 0 <= value <= largest:
        raise InvalidArgument.field(field, f"must be a value of the enum (0-{largest}), is {value}")
    return value


class _Options(NamedTuple):
    """Fields of an Explain request besides its windows: numbers, as they came."""

    method: int
    score: int
    target: int
    foil: int
    baseline: int
    samples: int
    seed: int
    quality: int
    include: tuple[int, ...]
    has_baseline_windows: bool
    has_background: bool


def _options_from(message: pb.ExplainRequest) -> _Options:
    return _Options(
        message.method,
        message.score,
        message.target,
        message.foil,
        message.baseline,
        message.samples,
        message.seed,
        message.quality,
        tuple(message.include),
        message.HasField("baseline_windows"),
        message.HasField("background"),
    )


@lru_cache(maxsize=256)  # nearly all calls of a client have the same options
def _checked(options: _Options) -> tuple[Request, QualityLevel, Include]:
    quality = QualityLevel(enum_from("quality", options.quality, len(QualityLevel)) or QualityLevel.FAST)
    return _method_request_from(options, quality), quality, _include_from(options.include)


def _method_request_from(options: _Options, quality: QualityLevel) -> Request:
    checked = quality is QualityLevel.FULL
    name = method_from(options.method, "method", checked=checked)
    if options.seed > MAX_SEED:
        raise InvalidArgument.field("seed", f"must be 0-{MAX_SEED}, is {options.seed}")
    score_spec = ScoreSpec(
        Score(enum_from("score", options.score, len(Score)) or default_score(name)),
        direction_from(enum_from("target", options.target, 3)),
        direction_from(enum_from("foil", options.foil, 3)),
    )
    request = Request(
        name,
        score_spec,
        _baseline_from(options),
        options.samples,
        options.seed,
        checked=checked,
    )
    _check_samples(request)
    _check_baseline(request, options)
    if name is MethodName.COUNTERFACTUAL:
        _check_counterfactual(score_spec)
    return request


def _include_from(values: tuple[int, ...]) -> Include:
    if not values:
        return Include()
    for index, value in enumerate(values):
        if enum_from(f"include[{index}]", value, pb.ExplainRequest.INCLUDE_WINDOW) == 0:
            raise InvalidArgument.field(f"include[{index}]", "must be set, is INCLUDE_UNSPECIFIED")
    if pb.ExplainRequest.INCLUDE_NONE in values and len(values) > 1:
        raise InvalidArgument.field("include", f"INCLUDE_NONE must stand alone, has {len(values)} values")
    return Include(
        prediction=pb.ExplainRequest.INCLUDE_PREDICTION in values,
        drivers=pb.ExplainRequest.INCLUDE_DRIVERS in values,
        bar_close_times=pb.ExplainRequest.INCLUDE_BAR_CLOSE_TIMES in values,
        window=pb.ExplainRequest.INCLUDE_WINDOW in values,
    )


def _baseline_from(options: _Options) -> BaselineKind | None:
    value = enum_from("baseline", options.baseline, len(BaselineKind))
    if value == 0 and options.has_baseline_windows:
        return BaselineKind.CUSTOM
    return BaselineKind(value) if value else None


def _check_samples(request: Request) -> None:
    most = METHODS[request.method].max_samples if request.method in METHODS else 0
    if request.samples > most:
        rule = f"must be 0-{most}" if most else "must be unset"
        raise InvalidArgument.field(
            "samples", f"{rule} with METHOD_{request.method.name}, is {request.samples}"
        )


def _check_baseline(request: Request, options: _Options) -> None:
    method, kind = f"METHOD_{request.method.name}", request.baseline
    takes = METHODS[request.method].default_baseline if request.method in METHODS else None
    if kind is not None and takes is None:
        raise InvalidArgument.field("baseline", f"must be unset with {method}, is BASELINE_{kind.name}")
    if kind is not None and (takes is BaselineKind.BACKGROUND) is not (kind is BaselineKind.BACKGROUND):
        rule = "BASELINE_BACKGROUND goes with METHOD_EXPECTED_GRADIENTS alone, which takes no other"
        raise InvalidArgument.field("baseline", f"{rule}; is BASELINE_{kind.name} with {method}")
    custom = options.has_baseline_windows
    if custom and kind is not BaselineKind.CUSTOM:
        name = "unset" if kind is None else f"BASELINE_{kind.name}"
        raise InvalidArgument.field(
            "baseline_windows", f"only BASELINE_CUSTOM takes them, baseline is {name}"
        )
    if kind is BaselineKind.CUSTOM and not custom:
        raise InvalidArgument.field("baseline_windows", "must be set with BASELINE_CUSTOM")
    if options.has_background and takes is not BaselineKind.BACKGROUND:
        rule = f"only METHOD_EXPECTED_GRADIENTS takes a background, method is {method}"
        raise InvalidArgument.field("background", rule)


def _check_counterfactual(score_spec: ScoreSpec) -> None:
    if score_spec.score is not Score.MARGIN:
        rule = f"must be SCORE_MARGIN with METHOD_COUNTERFACTUAL, is SCORE_{score_spec.score.name}"
        raise InvalidArgument.field("score", rule)
    if score_spec.target is not None:
        rule = "must be unset with METHOD_COUNTERFACTUAL, which starts from each row's own winner"
        raise InvalidArgument.field("target", f"{rule}; is DIRECTION_{score_spec.target.name}")
