"""Events and the stream's messages."""

from typing import Any

from glasstape._convert.common import delta_from, enum_from, time_from
from glasstape._convert.explanation import explanation_from
from glasstape._convert.inference import confidence_from, direction_from, ref_from
from glasstape._convert.market import bar_from
from glasstape.types.enums import (
    DataState,
    Direction,
    Entry,
    GoodbyeReason,
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
            signal = _signal_from(message.buy.signal)
            return BuyEvent(**common, signal=signal, confidence_sequence=message.buy.confidence_sequence)
        case "confidence":
            return ConfidenceEvent(**common, signal=_signal_from(message.confidence))
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
            )
            for record in response.records
        ),
        outcomes=response.outcomes,
        brier_score=response.brier_score,
    )


def _signal_from(message: pb.Signal) -> Signal:
    has_previous = message.HasField("previous_session_close")
    return Signal(
        confidence=confidence_from(message.confidence),
        bar=bar_from(message.bar),
        reference_close=message.reference_close,
        previous_session_close=message.previous_session_close if has_previous else None,
        horizon_bars=message.horizon_bars,
        entry=enum_from(ipb.Entry, "ENTRY_", Entry, message.entry),
        expire_time=time_from(message.expire_time),
        data_state=enum_from(mpb.DataState, "DATA_STATE_", DataState, message.data_state),
        flat_threshold=message.flat_threshold,
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
        data_state=enum_from(mpb.DataState, "DATA_STATE_", DataState, message.data_state),
        last_bar_close_time=time_from(message.last_bar_close_time) if has_bar else None,
    )
