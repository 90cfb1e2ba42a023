"""Events and the stream's messages."""

from functools import cache, partial
from typing import Any

from glasstape._convert.common import delta_from, enum_from, time_from
from glasstape._convert.explanation import explanation_from
from glasstape._convert.inference import (
    confidence_from,
    direction_from,
    direction_of,
    ref_from,
    reliability_from,
)
from glasstape._convert.market import bar_from
from glasstape.types.enums import (
    CalibrationState,
    DataState,
    Direction,
    Entry,
    GoodbyeReason,
    LabelKind,
    Method,
    OpenResult,
    ResetReason,
    Score,
)
from glasstape.types.signals import (
    BuyEvent,
    ConfidenceEvent,
    Event,
    EventBatch,
    Gap,
    Goodbye,
    Heartbeat,
    HeatmapBatch,
    Opened,
    OutcomeEvent,
    Signal,
    StreamMessage,
    TrackRecord,
    TrackRecords,
    Undecoded,
)
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb


def message_from(response: pb.SignalsResponse, heatmap_method: Method) -> StreamMessage | None:
    """What a response says; None for a body of a newer contract."""
    match response.WhichOneof("body"):
        case "batch":
            batch = response.batch
            return EventBatch(
                events=tuple(event_from(event, batch.snapshot) for event in batch.events),
                conflated_count=batch.conflated_count,
                snapshot=batch.snapshot,
            )
        case "heartbeat":
            return _heartbeat_from(response.heartbeat)
        case "opened":
            return _opened_from(response.opened)
        case "heatmaps":
            maps = response.heatmaps.heatmaps
            return HeatmapBatch(
                explanations={
                    item.sequence: explanation_from(item.explanation, heatmap_method, Score.MARGIN, None)
                    for item in maps
                }
            )
        case "gap":
            gap = response.gap
            return Gap(
                first_sequence=gap.first_sequence,
                last_sequence=gap.last_sequence,
                reason=gap.reason,
            )
        case "goodbye":
            reason = enum_from(pb.GoodbyeReason, "GOODBYE_REASON_", GoodbyeReason, response.goodbye.reason)
            return Goodbye(reason=reason, retry_delay=delta_from(response.goodbye.retry_delay))
        case _:
            return None


def event_from(message: pb.Event, snapshot: bool = False) -> Event:
    """A journalled event."""
    common: dict[str, Any] = {
        "sequence": message.sequence,
        "symbol": message.symbol,
        "interval": message.interval,
        "bar_close_time": time_from(message.bar_close_time),
        "publish_time": time_from(message.publish_time),
        "model": ref_from(message.model),
        "snapshot": snapshot,
    }
    match message.WhichOneof("kind"):
        case "buy":
            signal: Any = _later(message.buy.signal)
            return BuyEvent(**common, signal=signal, confidence_sequence=message.buy.confidence_sequence)
        case "confidence":
            signal = _later(message.confidence)
            return ConfidenceEvent(**common, signal=signal)
        case "outcome":
            outcome = message.outcome
            return OutcomeEvent(
                **common,
                confidence_sequence=outcome.confidence_sequence,
                signal_bar_close_time=time_from(outcome.signal_bar_close_time),
                predicted=Direction(outcome.predicted - 1),
                realised=Direction(outcome.realised - 1),
                realised_return=outcome.realised_return,
                hit=outcome.hit,
                abstained=outcome.abstained,
                confidence=confidence_from(outcome.confidence),
            )
        case _:
            return Event(**common)


def track_records_from(response: pb.GetTrackRecordResponse) -> TrackRecords:
    """The track record."""
    return TrackRecords(
        records=tuple(
            TrackRecord(
                predicted=direction_from(record.predicted),
                count=record.count,
                hits=record.hits,
                hit_rate=record.hit_rate,
                hit_rate_low=record.hit_rate_low,
                hit_rate_high=record.hit_rate_high,
                base_rate=record.base_rate,
                mean_return=record.mean_return,
                net_return=record.net_return,
                sessions=record.sessions,
                model=record.model,
                symbol=record.symbol,
                confidence=(record.confidence_low, record.confidence_high)
                if record.confidence_high
                else None,
            )
            for record in response.records
        ),
        outcomes=response.outcomes,
        brier_score=response.brier_score,
        log_loss=response.log_loss,
        reliability=reliability_from(response.reliability),
        left_out=response.left_out,
    )


@cache
def _entry(number: int) -> Entry:
    entry: Entry = enum_from(ipb.Entry, "ENTRY_", Entry, number)
    return entry


@cache
def _data_state(number: int) -> DataState:
    state: DataState = enum_from(mpb.DataState, "DATA_STATE_", DataState, number)
    return state


@cache
def _label_kind(number: int) -> LabelKind:
    kind: LabelKind = enum_from(pb.LabelKind, "LABEL_KIND_", LabelKind, number)
    return kind


@cache
def _calibration(number: int) -> CalibrationState:
    state: CalibrationState = enum_from(ipb.CalibrationState, "CALIBRATION_STATE_", CalibrationState, number)
    return state


def _later(message: pb.Signal) -> Undecoded[Signal]:
    """A signal that is decoded when it is read; what cannot be decoded is refused at once."""
    direction_of(message.confidence)
    time_from(message.expire_time)
    time_from(message.bar.close_time)
    return Undecoded(partial(_signal_from, message))


def _signal_from(message: pb.Signal) -> Signal:
    has_previous = message.HasField("previous_session_close")
    return Signal(
        confidence=confidence_from(message.confidence),
        bar=bar_from(message.bar),
        reference_close=message.reference_close,
        previous_session_close=message.previous_session_close if has_previous else None,
        horizon_bars=message.horizon_bars,
        entry=_entry(message.entry),
        expire_time=time_from(message.expire_time),
        data_state=_data_state(message.data_state),
        flat_threshold=message.flat_threshold,
        label_kind=_label_kind(message.label_kind or pb.LABEL_KIND_HORIZON),
    )


def _opened_from(message: pb.Opened) -> Opened:
    return Opened(
        result=enum_from(pb.OpenResult, "OPEN_RESULT_", OpenResult, message.result),
        reset_reason=enum_from(pb.ResetReason, "RESET_REASON_", ResetReason, message.reset_reason),
        epoch=message.epoch,
        head_sequence=message.head_sequence,
        earliest_sequence=message.earliest_sequence,
        contract_version=message.contract_version,
        model=ref_from(message.model),
    )


def _heartbeat_from(message: pb.Heartbeat) -> Heartbeat:
    has_bar = message.HasField("last_bar_close_time")
    return Heartbeat(
        server_time=time_from(message.server_time),
        market_time=time_from(message.market_time),
        data_state=_data_state(message.data_state),
        last_bar_close_time=time_from(message.last_bar_close_time) if has_bar else None,
        calibration=_calibration(message.calibration or ipb.CALIBRATION_STATE_UNKNOWN),
    )


_KINDS = {
    "confidence": pb.EVENT_KIND_CONFIDENCE,
    "buy": pb.EVENT_KIND_BUY,
    "outcome": pb.EVENT_KIND_OUTCOME,
}


def matches(event: pb.Event, request: pb.SignalsRequest | pb.ListSignalsRequest) -> bool:
    """Whether an event passes a request's filter."""
    kind = event.WhichOneof("kind") or ""
    if request.symbols and event.symbol not in request.symbols:
        return False
    if request.kinds and _KINDS.get(kind) not in request.kinds:
        return False
    if not request.min_confidence or kind == "outcome":
        return True
    said = event.confidence.confidence if kind == "confidence" else event.buy.signal.confidence
    return max(said.down, said.flat, said.up) >= request.min_confidence
