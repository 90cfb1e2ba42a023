"""Events and the messages of a stream."""

from glasstape._convert.batches import BatchResponse, batch_from
from glasstape._convert.common import delta_from, enum_from, time_from
from glasstape._convert.events import events_from
from glasstape._convert.explanation import explanation_from
from glasstape._convert.inference import direction_from
from glasstape._convert.market import bar_from
from glasstape._convert.models import estimate_from, reliability_from, skill_from
from glasstape._convert.references import ref_from, refs_from
from glasstape.types.enums import CalibrationState, DataState, Method, Score
from glasstape.types.signals import (
    Event,
    EventBatch,
    Goodbye,
    Heartbeat,
    HeatmapBatch,
    Opened,
    QuoteBatch,
    SequenceGap,
    StreamMessage,
)
from glasstape.types.stream_enums import GapReason, GoodbyeReason, OpenResult, ResetReason
from glasstape.types.track import CarryingSession, TrackRecord, TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb


def message_from(
    response: pb.SignalsResponse | BatchResponse, heatmap_method: Method
) -> StreamMessage | None:
    """Return the body of a response; None for a body of a newer contract. An encoded batch stays encoded."""
    if isinstance(response, BatchResponse):
        return batch_from(response.batch)
    match response.WhichOneof("body"):
        case "batch":
            return _batch_from(response.batch)
        case "heartbeat":
            return _heartbeat_from(response.heartbeat)
        case "opened":
            return _opened_from(response.opened)
        case "heatmaps":
            return _heatmaps_from(response.heatmaps, heatmap_method)
        case "quotes":
            return QuoteBatch(bars=tuple(bar_from(bar) for bar in response.quotes.bars))
        case "gap":
            gap = response.gap
            return SequenceGap(
                first_sequence=gap.first_sequence,
                last_sequence=gap.last_sequence,
                reason=enum_from(pb.GapReason, GapReason, gap.reason),
            )
        case "goodbye":
            reason = enum_from(pb.GoodbyeReason, GoodbyeReason, response.goodbye.reason)
            return Goodbye(reason=reason, retry_delay=delta_from(response.goodbye.retry_delay))
        case _:
            return None


def _batch_from(message: pb.EventBatch) -> EventBatch:
    models, snapshot = refs_from(message.models), message.snapshot
    return EventBatch(
        events=tuple(events_from(message.events, models, snapshot)),
        conflated_count=message.conflated_count,
        snapshot=snapshot,
    )


def _heatmaps_from(message: pb.SignalHeatmaps, method: Method) -> HeatmapBatch:
    models = refs_from(message.models)
    return HeatmapBatch(
        explanations={
            item.sequence: explanation_from(item.explanation, models, method, Score.MARGIN, None)
            for item in message.heatmaps
        }
    )


def page_from(response: pb.ListSignalsResponse) -> list[Event]:
    """Return the events of a page."""
    models = refs_from(response.models)
    return list(events_from(response.events, models))


def track_records_from(response: pb.GetTrackRecordResponse) -> TrackRecords:
    """Return the track record."""
    return TrackRecords(
        records=tuple(_track_record_from(record) for record in response.records),
        outcomes=response.outcomes,
        brier_score=response.brier_score if response.outcomes else None,
        log_loss=response.log_loss if response.outcomes else None,
        reliability=reliability_from(response.reliability),
        left_out=response.left_out,
        skill=skill_from(response.skill) if response.HasField("skill") else None,
        backlog_bars=response.backlog_bars,
        open_signals=response.open_signals,
    )


def _track_record_from(message: pb.TrackRecord) -> TrackRecord:
    has = message.HasField
    band = (message.confidence_low, message.confidence_high)
    some = message.count > 0
    return TrackRecord(
        predicted=direction_from(message.predicted),
        count=message.count,
        hits=message.hits,
        hit_rate=message.hit_rate if has("hit_rate") else None,
        hit_rate_low=message.hit_rate_low if some else None,
        hit_rate_high=message.hit_rate_high if some else None,
        base_rate=message.base_rate if some else None,
        mean_return=message.mean_return if some else None,
        net_return=message.net_return if some else None,
        sessions=message.sessions,
        model=message.model,
        symbol=message.symbol,
        confidence=band if has("confidence_high") else None,
        opposites=message.opposites if has("opposites") else None,
        edge=estimate_from(message.edge) if has("edge") else None,
        moved_hit_rate=estimate_from(message.moved_hit_rate) if has("moved_hit_rate") else None,
        kept=message.kept if has("kept") else None,
        skill=skill_from(message.skill) if has("skill") else None,
        mean_return_interval=estimate_from(message.mean_return_interval)
        if has("mean_return_interval")
        else None,
        carried_by=tuple(
            CarryingSession(
                day=each.day, calls=each.calls, total_return=each.total_return, mean_without=each.mean_without
            )
            for each in message.carried_by
        ),
    )


def _opened_from(message: pb.Opened) -> Opened:
    return Opened(
        result=enum_from(pb.OpenResult, OpenResult, message.result),
        reset_reason=enum_from(pb.ResetReason, ResetReason, message.reset_reason),
        epoch=message.epoch,
        head_sequence=message.head_sequence,
        earliest_sequence=message.earliest_sequence,
        contract_version=message.contract_version,
        model=ref_from(message.model),
    )


def _heartbeat_from(message: pb.Heartbeat) -> Heartbeat:
    has_bar = message.HasField("last_bar_close_time")
    calibration = message.calibration or ipb.CALIBRATION_STATE_UNKNOWN
    return Heartbeat(
        server_time=time_from(message.server_time),
        market_time=time_from(message.market_time),
        data_state=enum_from(mpb.DataState, DataState, message.data_state),
        last_bar_close_time=time_from(message.last_bar_close_time) if has_bar else None,
        calibration=enum_from(ipb.CalibrationState, CalibrationState, calibration),
        drifted=message.drifted,
    )
