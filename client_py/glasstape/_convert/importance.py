"""Importance over sets of windows."""

from glasstape._convert.common import enum_from, enum_to, time_from, time_to
from glasstape._convert.inference import direction_from, direction_to
from glasstape._convert.references import ref_from, ref_to
from glasstape._convert.values import flag, items, texts
from glasstape._scalars import MAX_UINT32, integer
from glasstape.errors import InvalidRequestError
from glasstape.types.enums import Method, Quantity, Score
from glasstape.types.importance import (
    Importance,
    ImportanceChange,
    ImportanceEstimate,
    PartImportance,
    WindowFilter,
    WindowSet,
)
from glasstape.v1 import inference_pb2 as pb


def filter_to(wanted: WindowFilter | None, field: str) -> pb.WindowFilter | None:
    """Return the message of a filter.

    Raises:
        InvalidRequestError: it is no filter, or one of its fields breaks a rule.
    """
    if wanted is None:
        return None
    if not isinstance(wanted, WindowFilter):
        raise InvalidRequestError.field(field, f"must be a WindowFilter, is a {type(wanted).__name__}")
    directions = wanted.directions
    named = (
        [directions]
        if isinstance(directions, str)
        else items(directions, f"{field}.directions", "directions")
    )
    return pb.WindowFilter(
        symbols=texts(wanted.symbols, f"{field}.symbols", "symbols"),
        start_time=None if wanted.start is None else time_to(wanted.start, f"{field}.start"),
        end_time=None if wanted.end is None else time_to(wanted.end, f"{field}.end"),
        validation=flag(wanted.validation, f"{field}.validation"),
        directions=[direction_to(each, f"{field}.directions") for each in named],
        exclude_abstained=flag(wanted.exclude_abstained, f"{field}.exclude_abstained"),
        days=integer(wanted.days, f"{field}.days", MAX_UINT32),
    )


def importance_from(response: pb.GetImportanceResponse) -> Importance:
    """Return the importance of a response."""
    compared = response.HasField("reference_windows")
    return Importance(
        model=ref_from(response.model),
        method=enum_from(pb.Explanation.Method, Method, response.method),
        score=enum_from(pb.Explanation.Score, Score, response.score),
        quantity=enum_from(pb.Heatmap.Quantity, Quantity, response.quantity),
        shape=(response.shape.time, response.shape.features),
        windows=_windows_from(response.windows),
        parts=tuple(_part_from(part) for part in response.parts),
        reference_windows=_windows_from(response.reference_windows) if compared else None,
        reference_parts=tuple(_part_from(part) for part in response.reference_parts),
    )


def _windows_from(message: pb.WindowSet) -> WindowSet:
    return WindowSet(
        windows=message.windows,
        closes=message.closes,
        symbols=message.symbols,
        block=message.block,
        start=time_from(message.start_time),
        end=time_from(message.end_time),
        bars=message.bars,
        examined=message.examined,
        unusable=message.unusable,
        other_calls=message.other_calls,
        seen=message.seen,
        labeled=message.labeled,
        down=message.down,
        flat=message.flat,
        up=message.up,
    )


def _part_from(message: pb.PartImportance) -> PartImportance:
    has = message.HasField
    return PartImportance(
        feature=message.feature,
        feature_index=message.feature_index if has("feature_index") else None,
        time_index=message.time_index if has("time_index") else None,
        importance=_estimate_from(message.importance),
        share=_estimate_from(message.share) if has("share") else None,
        signed_mean=_estimate_from(message.signed_mean),
        loss_increase=_estimate_from(message.loss_increase) if has("loss_increase") else None,
        change=_change_from(message.change) if has("change") else None,
    )


def _change_from(message: pb.ImportanceChange) -> ImportanceChange:
    return ImportanceChange(
        change=_estimate_from(message.change),
        p_value=message.p_value if message.HasField("p_value") else None,
        significant=message.significant,
    )


def _estimate_from(message: pb.ImportanceEstimate) -> ImportanceEstimate:
    return ImportanceEstimate(
        value=message.value,
        low=message.low if message.HasField("low") else None,
        high=message.high if message.HasField("high") else None,
    )


def filter_from(message: pb.WindowFilter) -> WindowFilter:
    """Return the filter of a message, for a fake server."""
    has = message.HasField
    directions = (direction_from(each) for each in message.directions)
    return WindowFilter(
        symbols=tuple(message.symbols),
        start=time_from(message.start_time) if has("start_time") else None,
        end=time_from(message.end_time) if has("end_time") else None,
        validation=message.validation,
        directions=tuple(each for each in directions if each is not None),
        exclude_abstained=message.exclude_abstained,
        days=message.days,
    )


def importance_to(importance: Importance) -> pb.GetImportanceResponse:
    """Return the message of an importance, for a fake server."""
    response = pb.GetImportanceResponse(
        model=ref_to(importance.model),
        method=enum_to(pb.Explanation.Method, importance.method),
        score=enum_to(pb.Explanation.Score, importance.score),
        quantity=enum_to(pb.Heatmap.Quantity, importance.quantity),
        shape=pb.Heatmap.Shape(time=importance.shape[0], features=importance.shape[1]),
        windows=_windows_to(importance.windows),
        parts=[_part_to(part) for part in importance.parts],
        reference_parts=[_part_to(part) for part in importance.reference_parts],
    )
    if importance.reference_windows is not None:
        response.reference_windows.CopyFrom(_windows_to(importance.reference_windows))
    return response


def _windows_to(windows: WindowSet) -> pb.WindowSet:
    return pb.WindowSet(
        windows=windows.windows,
        closes=windows.closes,
        symbols=windows.symbols,
        block=windows.block,
        start_time=time_to(windows.start, "start"),
        end_time=time_to(windows.end, "end"),
        bars=windows.bars,
        examined=windows.examined,
        unusable=windows.unusable,
        other_calls=windows.other_calls,
        seen=windows.seen,
        labeled=windows.labeled,
        down=windows.down,
        flat=windows.flat,
        up=windows.up,
    )


def _part_to(part: PartImportance) -> pb.PartImportance:
    message = pb.PartImportance(
        feature=part.feature,
        feature_index=part.feature_index,
        time_index=part.time_index,
        importance=_estimate_to(part.importance),
        share=_estimate_to(part.share),
        signed_mean=_estimate_to(part.signed_mean),
        loss_increase=_estimate_to(part.loss_increase),
    )
    if part.change is not None:
        message.change.CopyFrom(
            pb.ImportanceChange(
                change=_estimate_to(part.change.change),
                p_value=part.change.p_value,
                significant=part.change.significant,
            )
        )
    return message


def _estimate_to(estimate: ImportanceEstimate | None) -> pb.ImportanceEstimate | None:
    if estimate is None:
        return None
    return pb.ImportanceEstimate(value=estimate.value, low=estimate.low, high=estimate.high)
