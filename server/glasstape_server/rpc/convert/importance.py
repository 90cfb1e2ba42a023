"""Importance requests from the wire, and importance for it."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from glasstape.symbols import reason_invalid
from glasstape.v1 import inference_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_ITEMS, MAX_SEED, MAX_SYMBOLS, MAX_TIME
from glasstape_server.domain.signals import Direction
from glasstape_server.explain.catalog import METHODS, default_score
from glasstape_server.explain.importance import Estimates, parts_of
from glasstape_server.explain.importance_drift import Drift
from glasstape_server.explain.importance_methods import DEFAULT_METHOD, SUMMARIZED
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import Score, ScoreSpec
from glasstape_server.rpc.convert.market import time_from, timestamp
from glasstape_server.rpc.convert.predictions import ref_to
from glasstape_server.rpc.convert.requests import enum_from
from glasstape_server.serving.importance import ImportanceReport, ImportanceRequest, SetImportance
from glasstape_server.serving.window_sets import DEFAULT_DAYS, WindowFilter

DEFAULT_WINDOWS = 2000
"""Windows of a set, if none are asked for."""
MAX_DAYS = 36_500
"""Longest period by days."""


def importance_request_from(message: pb.GetImportanceRequest) -> ImportanceRequest:
    """Return a request.

    Raises:
        InvalidArgument: a field breaks its rule.
    """
    if message.max_windows > MAX_ITEMS:
        raise InvalidArgument.field("max_windows", f"must be 0-{MAX_ITEMS}, is {message.max_windows}")
    if message.seed > MAX_SEED:
        raise InvalidArgument.field("seed", f"must be 0-{MAX_SEED}, is {message.seed}")
    method = _method_from(message.method)
    score = Score(enum_from("score", message.score, len(Score)) or default_score(method))
    return ImportanceRequest(
        _filter_from(message.filter, "filter"),
        _filter_from(message.reference, "reference") if message.HasField("reference") else None,
        Request(method, ScoreSpec(score), seed=message.seed),
        message.max_windows or DEFAULT_WINDOWS,
        message.model,
        message.permutation,
    )


def importance_to(report: ImportanceReport) -> pb.GetImportanceResponse:
    """Return the response."""
    model, request = report.model, report.request.method_request
    steps, width = model.window_shape
    response = pb.GetImportanceResponse(
        model=ref_to(model.ref),
        method=int(request.method),  # type: ignore[arg-type]  # values as on the wire
        score=int(request.score_spec.score),  # type: ignore[arg-type]
        shape=pb.Heatmap.Shape(time=steps, features=width),
        quantity=int(METHODS[request.method].quantity),  # type: ignore[arg-type]
        windows=_windows_to(report.current),
        parts=_parts_to(report.current, model.spec.names, report.drift),
    )
    if report.reference is not None:
        response.reference_windows.CopyFrom(_windows_to(report.reference))
        response.reference_parts.extend(_parts_to(report.reference, model.spec.names, None))
    return response


def _method_from(value: int) -> MethodName:
    name = MethodName(enum_from("method", value, len(MethodName)) or DEFAULT_METHOD)
    if name not in SUMMARIZED:
        known = ", ".join(f"METHOD_{each.name}" for each in SUMMARIZED)
        rule = f"must have a signed map of single cells ({known}), is METHOD_{name.name}"
        raise InvalidArgument.field("method", rule)
    return name


def _filter_from(message: pb.WindowFilter, path: str) -> WindowFilter:
    if len(message.symbols) > MAX_SYMBOLS:
        raise InvalidArgument.field(f"{path}.symbols", f"at most {MAX_SYMBOLS}, has {len(message.symbols)}")
    for index, symbol in enumerate(message.symbols):
        if rule := reason_invalid(symbol):
            raise InvalidArgument.field(f"{path}.symbols[{index}]", rule)
    directions = set()
    for index, value in enumerate(message.directions):
        if not pb.DIRECTION_DOWN <= value <= pb.DIRECTION_UP:
            rule = f"must be DIRECTION_DOWN, DIRECTION_FLAT or DIRECTION_UP, is {value}"
            raise InvalidArgument.field(f"{path}.directions[{index}]", rule)
        directions.add(Direction(value - 1))
    first = message.start_time if message.HasField("start_time") else None
    last = message.end_time if message.HasField("end_time") else None
    return WindowFilter(
        tuple(message.symbols),
        _time_from(first, f"{path}.start_time", message.validation),
        _time_from(last, f"{path}.end_time", message.validation),
        message.validation,
        _days_from(message, path),
        frozenset(directions),
        message.exclude_abstained,
    )


def _days_from(message: pb.WindowFilter, path: str) -> int:
    if message.days > MAX_DAYS:
        raise InvalidArgument.field(f"{path}.days", f"must be 0-{MAX_DAYS}, is {message.days}")
    if message.days and (message.validation or message.HasField("start_time")):
        other = "validation" if message.validation else "start_time"
        raise InvalidArgument.field(f"{path}.days", f"must be unset with {other}, is {message.days}")
    return message.days or DEFAULT_DAYS


def _time_from(message: Timestamp | None, path: str, validation: bool) -> int | None:
    if message is None:
        return None
    if validation:
        raise InvalidArgument.field(path, "must be unset with validation")
    time = time_from(path, message)
    if not 0 <= time <= MAX_TIME:
        raise InvalidArgument.field(path, "must be between 1970 and the end of 2099")
    return time


def _windows_to(one: SetImportance) -> pb.WindowSet:
    chosen = one.set
    down, flat, up = np.bincount(chosen.predicted, minlength=3).tolist()
    return pb.WindowSet(
        windows=len(chosen.windows),
        closes=one.importance.sample.closes if one.importance else 0,
        symbols=len(set(chosen.symbols)),
        block=one.importance.sample.block if one.importance else 0,
        start_time=timestamp(chosen.period.first),
        end_time=timestamp(chosen.period.last),
        bars=chosen.bars,
        examined=chosen.examined,
        unusable=chosen.unusable,
        other_calls=chosen.other_calls,
        seen=one.seen,
        labeled=int(np.count_nonzero(chosen.labels >= 0)),
        down=down,
        flat=flat,
        up=up,
    )


def _parts_to(one: SetImportance, names: Sequence[str], drift: Drift | None) -> Iterator[pb.PartImportance]:
    importance = one.importance
    if importance is None:
        return
    for number, part in enumerate(parts_of(importance.shape)):
        yield pb.PartImportance(
            feature_index=part.feature,
            feature="" if part.feature is None else names[part.feature],
            time_index=part.time,
            importance=_estimate_to(importance.importance, number),
            share=_estimate_to(importance.share, number),
            signed_mean=_estimate_to(importance.signed_mean, number),
            loss_increase=None if one.permutation is None else _estimate_to(one.permutation, number),
            change=None if drift is None else _change_to(drift, number),
        )


def _change_to(drift: Drift, number: int) -> pb.ImportanceChange | None:
    change, p_value = _estimate_to(drift.change, number), float(drift.p_value[number])
    if change is None:
        return None
    return pb.ImportanceChange(
        change=change,
        p_value=None if math.isnan(p_value) else p_value,
        significant=bool(drift.significant[number]),
    )


def _estimate_to(estimates: Estimates, number: int) -> pb.ImportanceEstimate | None:
    """Return one figure; None if it is not defined."""
    value, low, high = (float(each[number]) for each in (estimates.value, estimates.low, estimates.high))
    if math.isnan(value):
        return None
    if math.isnan(low):
        return pb.ImportanceEstimate(value=value)
    return pb.ImportanceEstimate(value=value, low=low, high=high)
