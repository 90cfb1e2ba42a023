"""Messages in the server's direction: what `glasstape.testing` and `glasstape.session` send."""

from glasstape._convert.common import enum_to, time_to
from glasstape._convert.market import bar_to
from glasstape._convert.references import ModelTable, ref_to
from glasstape.types.enums import Direction
from glasstape.types.explanation import Quality
from glasstape.types.inference import (
    CheckResult,
    Confidence,
    Model,
    ReliabilityPoint,
    SkillSplit,
)
from glasstape.types.live import InputDrift, IntervalEstimate, LiveCalibration
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, OutcomeEvent, Signal
from glasstape.types.track import TrackRecord, TrackRecords
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb


def confidence_to(confidence: Confidence) -> ipb.Confidence:
    """Return the message of confidences."""
    return ipb.Confidence(
        direction=_direction_to(confidence.direction),
        class_index=int(confidence.direction),
        down=confidence.down,
        flat=confidence.flat,
        up=confidence.up,
        abstained=confidence.abstained,
        novelty=confidence.novelty,
    )


def _direction_to(direction: Direction | None) -> ipb.Direction.ValueType:
    return ipb.Direction.ValueType(0 if direction is None else direction + 1)


def quality_to(quality: Quality) -> ipb.Quality:
    """Return the message of a verdict and its trust."""
    message = ipb.Quality(
        level=enum_to(ipb.QualityLevel, quality.level),
        verdict=enum_to(ipb.Quality.Verdict, quality.verdict),
        reasons=quality.reasons,
        checks=[_check_to(check) for check in quality.checks],
    )
    if quality.trust is not None:
        trust = message.trust
        trust.value, trust.average_precision = quality.trust.value, quality.trust.average_precision
        trust.level, trust.maps = enum_to(ipb.Trust.TrustLevel, quality.trust.level), quality.trust.maps
    return message


def model_to(model: Model) -> ipb.Model:
    """Return the message of a model's description."""
    message = ipb.Model(
        ref=ref_to(model.ref),
        state=enum_to(ipb.ModelState, model.state),
        refusal=model.refusal,
        architecture=model.architecture,
        time_steps=model.time_steps,
        features=[
            ipb.ModelFeature(
                name=f.name, description=f.description, mean=f.mean, standard_deviation=f.standard_deviation
            )
            for f in model.features
        ],
        min_bars=model.min_bars,
        interval=model.interval,
        horizon_bars=model.horizon_bars,
        entry=enum_to(ipb.EntryPrice, model.entry),
        label_rule=model.label_rule,
        temperature=model.temperature,
        abstain_threshold=model.abstain_threshold,
        buy_ramp_low=model.buy_ramp_low,
        buy_ramp_high=model.buy_ramp_high,
        alert_threshold=model.alert_threshold,
        methods=[enum_to(ipb.Explanation.Method, method) for method in model.methods],
        metrics=[ipb.ModelMetric(name=name, value=value) for name, value in model.metrics.items()],
        training_data=model.training_data,
        seen_until=time_to(model.seen_until, "seen_until") if model.seen_until else None,
        checks=[_check_to(check) for check in model.checks],
        live=_live_to(model.live) if model.live else None,
        skill=_skill_to(model.skill) if model.skill else None,
        reliability=[reliability_point_to(point) for point in model.reliability],
    )
    if model.shadow is not None:
        shadow = model.shadow
        message.shadow.compared, message.shadow.disagreed = shadow.compared, shadow.disagreed
        message.shadow.against.CopyFrom(ref_to(shadow.against))
    return message


def _check_to(check: CheckResult) -> ipb.CheckResult:
    return ipb.CheckResult(
        name=check.name, value=check.value, limit=check.limit, passed=check.passed, text=check.text
    )


def _live_to(live: LiveCalibration) -> ipb.LiveCalibration:
    return ipb.LiveCalibration(
        state=enum_to(ipb.CalibrationState, live.state),
        sessions=live.sessions,
        outcomes=live.outcomes,
        winner_gap=_estimate_to(live.winner_gap),
        up_gap=_estimate_to(live.up_gap),
        band=live.band,
        novel_share=_estimate_to(live.novel_share),
        drifted=live.drifted,
        down_gap=_estimate_to(live.down_gap) if live.down_gap else None,
        flat_gap=_estimate_to(live.flat_gap) if live.flat_gap else None,
        up_call_gap=_estimate_to(live.up_call_gap) if live.up_call_gap else None,
        drift=_drift_to(live.drift) if live.drift else None,
    )


def _drift_to(drift: InputDrift) -> ipb.InputDrift:
    return ipb.InputDrift(
        sessions=drift.sessions,
        windows=drift.windows,
        shifts=[
            ipb.FeatureShift(
                feature=shift.feature, shift=_estimate_to(shift.shift), significant=shift.significant
            )
            for shift in drift.shifts
        ],
    )


def _skill_to(skill: SkillSplit) -> ipb.SkillSplit:
    return ipb.SkillSplit(
        log_loss_saved=_estimate_to(skill.log_loss_saved),
        flat=_estimate_to(skill.flat),
        direction=_estimate_to(skill.direction),
        moved_hit_rate=_estimate_to(skill.moved_hit_rate),
        verdict=enum_to(ipb.SkillVerdict, skill.verdict),
    )


def _estimate_to(estimate: IntervalEstimate) -> ipb.IntervalEstimate:
    return ipb.IntervalEstimate(value=estimate.value, low=estimate.low, high=estimate.high)


def reliability_point_to(point: ReliabilityPoint) -> ipb.ReliabilityPoint:
    """Return the message of a point of a reliability diagram."""
    return ipb.ReliabilityPoint(
        direction=_direction_to(point.direction),
        stated=point.stated,
        realized=point.realized,
        count=point.count,
        realized_low=point.realized_low,
        realized_high=point.realized_high,
    )


def event_to(event: Event, sequence: int, models: ModelTable) -> pb.Event:
    """Return the message of an event under a sequence; its model is added to `models`."""
    message = pb.Event(
        sequence=sequence,
        symbol=event.symbol,
        interval=event.interval,
        bar_close_time=time_to(event.bar_close_time, "bar_close_time"),
        publish_time=time_to(event.publish_time, "publish_time"),
        model_index=models.index(event.model),
    )
    match event:
        case BuyEvent():
            message.buy.confidence_sequence = event.confidence_sequence
            message.buy.signal.CopyFrom(_signal_to(event.signal))
        case ConfidenceEvent():
            message.confidence.CopyFrom(_signal_to(event.signal))
        case OutcomeEvent():
            message.outcome.CopyFrom(_outcome_to(event))
    return message


def _signal_to(signal: Signal) -> pb.Signal:
    bar = bar_to(signal.bar)
    bar.halted = signal.bar.halted
    return pb.Signal(
        probabilities=confidence_to(signal.probabilities),
        bar=bar,
        reference_close=signal.reference_close,
        previous_session_close=signal.previous_session_close,
        horizon_bars=signal.horizon_bars,
        entry=enum_to(ipb.EntryPrice, signal.entry),
        expire_time=time_to(signal.expire_time, "expire_time"),
        data_state=enum_to(mpb.DataState, signal.data_state),
        flat_threshold=signal.flat_threshold,
        label_kind=enum_to(pb.LabelKind, signal.label_kind),
        missing_bars=signal.missing_bars,
        missing_symbols=signal.missing_symbols,
        rank_score=signal.rank_score,
        close_rank=signal.close_rank or 0,
        close_size=signal.close_size or 0,
    )


def _outcome_to(event: OutcomeEvent) -> pb.Outcome:
    return pb.Outcome(
        confidence_sequence=event.confidence_sequence,
        signal_bar_close_time=time_to(event.signal_bar_close_time, "signal_bar_close_time"),
        predicted=_direction_to(event.predicted),
        realized=_direction_to(event.realized),
        realized_return=event.realized_return,
        hit=event.hit,
        abstained=event.abstained,
        probabilities=confidence_to(event.probabilities),
    )


def track_records_to(track: TrackRecords) -> pb.GetTrackRecordResponse:
    """Return the message of a track record."""
    message = pb.GetTrackRecordResponse(
        records=[_track_record_to(record) for record in track.records],
        outcomes=track.outcomes,
        reliability=[reliability_point_to(point) for point in track.reliability],
        left_out=track.left_out,
        skill=_skill_to(track.skill) if track.skill else None,
        backlog_bars=track.backlog_bars,
        open_signals=track.open_signals,
    )
    _set_known(message, track, ("brier_score", "log_loss"))
    return message


def _track_record_to(record: TrackRecord) -> pb.TrackRecord:
    message = pb.TrackRecord(
        predicted=_direction_to(record.predicted),
        count=record.count,
        hits=record.hits,
        sessions=record.sessions,
        model=record.model,
        symbol=record.symbol,
        confidence_low=record.confidence[0] if record.confidence else None,
        confidence_high=record.confidence[1] if record.confidence else None,
        edge=_estimate_to(record.edge) if record.edge else None,
        moved_hit_rate=_estimate_to(record.moved_hit_rate) if record.moved_hit_rate else None,
        skill=_skill_to(record.skill) if record.skill else None,
        mean_return_interval=_estimate_to(record.mean_return_interval)
        if record.mean_return_interval
        else None,
        carried_by=[
            pb.CarryingSession(
                day=each.day, calls=each.calls, total_return=each.total_return, mean_without=each.mean_without
            )
            for each in record.carried_by
        ],
    )
    figures = ("hit_rate", "hit_rate_low", "hit_rate_high", "base_rate", "mean_return", "net_return")
    _set_known(message, record, (*figures, "opposites", "kept"))
    return message


def _set_known(
    message: pb.TrackRecord | pb.GetTrackRecordResponse,
    value: TrackRecord | TrackRecords,
    names: tuple[str, ...],
) -> None:
    """Set the fields of a message whose values are not None."""
    for name in names:
        known = getattr(value, name)
        if known is not None:
            setattr(message, name, known)
