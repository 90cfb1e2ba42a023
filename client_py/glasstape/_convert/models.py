"""Models and the server's description."""

from collections.abc import Iterable

from glasstape._convert.common import enum_from, time_from
from glasstape._convert.inference import direction_from
from glasstape._convert.references import ref_from
from glasstape.skill import SkillVerdict
from glasstape.types.enums import CalibrationState, EntryPrice, Method, ModelState
from glasstape.types.inference import (
    CheckResult,
    Model,
    ModelFeature,
    ReliabilityPoint,
    ServerInfo,
    ServerLimits,
    ShadowRecord,
    SkillSplit,
)
from glasstape.types.live import FeatureShift, InputDrift, IntervalEstimate, LiveCalibration
from glasstape.v1 import inference_pb2 as pb


def model_from(message: pb.Model) -> Model:
    """Return a model's description."""
    has = message.HasField
    return Model(
        ref=ref_from(message.ref),
        state=enum_from(pb.ModelState, ModelState, message.state),
        refusal=message.refusal,
        architecture=message.architecture,
        time_steps=message.time_steps,
        features=tuple(_feature_from(item) for item in message.features),
        min_bars=message.min_bars,
        interval=message.interval,
        horizon_bars=message.horizon_bars,
        entry=enum_from(pb.EntryPrice, EntryPrice, message.entry),
        label_rule=message.label_rule,
        temperature=message.temperature,
        abstain_threshold=message.abstain_threshold,
        buy_ramp_low=message.buy_ramp_low,
        buy_ramp_high=message.buy_ramp_high,
        alert_threshold=message.alert_threshold,
        methods=tuple(enum_from(pb.Explanation.Method, Method, value) for value in message.methods),
        metrics={metric.name: metric.value for metric in message.metrics},
        training_data=message.training_data,
        seen_until=time_from(message.seen_until) if has("seen_until") else None,
        checks=checks_from(message.checks),
        live=_live_from(message.live) if has("live") else None,
        skill=skill_from(message.skill) if has("skill") else None,
        shadow=_shadow_from(message.shadow) if has("shadow") else None,
        reliability=reliability_from(message.reliability),
    )


def checks_from(messages: Iterable[pb.CheckResult]) -> tuple[CheckResult, ...]:
    """Return the results of checks."""
    return tuple(
        CheckResult(name=m.name, value=m.value, limit=m.limit, passed=m.passed, text=m.text) for m in messages
    )


def reliability_from(points: Iterable[pb.ReliabilityPoint]) -> tuple[ReliabilityPoint, ...]:
    """Return the points of a reliability diagram."""
    return tuple(
        ReliabilityPoint(
            direction=direction_from(point.direction),
            stated=point.stated,
            realized=point.realized,
            count=point.count,
            realized_low=point.realized_low,
            realized_high=point.realized_high,
        )
        for point in points
    )


def server_info_from(message: pb.GetServerInfoResponse) -> ServerInfo:
    """Return the server's description."""
    limits = message.limits
    return ServerInfo(
        contract_version=message.contract_version,
        server_version=message.server_version,
        limits=ServerLimits(
            max_items=limits.max_items,
            max_message_bytes=limits.max_message_bytes,
            max_page_size=limits.max_page_size,
            max_filter_symbols=limits.max_filter_symbols,
            max_token_bytes=limits.max_token_bytes,
            max_background_windows=limits.max_background_windows,
        ),
        wires=tuple(message.wires),
        features=tuple(message.features),
    )


def _feature_from(message: pb.ModelFeature) -> ModelFeature:
    return ModelFeature(
        name=message.name,
        description=message.description,
        mean=message.mean,
        standard_deviation=message.standard_deviation,
    )


def _live_from(message: pb.LiveCalibration) -> LiveCalibration:
    has = message.HasField
    return LiveCalibration(
        state=enum_from(pb.CalibrationState, CalibrationState, message.state),
        sessions=message.sessions,
        outcomes=message.outcomes,
        winner_gap=estimate_from(message.winner_gap),
        up_gap=estimate_from(message.up_gap),
        band=message.band,
        novel_share=estimate_from(message.novel_share),
        drifted=message.drifted,
        down_gap=estimate_from(message.down_gap) if has("down_gap") else None,
        flat_gap=estimate_from(message.flat_gap) if has("flat_gap") else None,
        up_call_gap=estimate_from(message.up_call_gap) if has("up_call_gap") else None,
        drift=_drift_from(message.drift) if has("drift") else None,
    )


def _drift_from(message: pb.InputDrift) -> InputDrift:
    return InputDrift(
        sessions=message.sessions,
        windows=message.windows,
        shifts=tuple(
            FeatureShift(feature=m.feature, shift=estimate_from(m.shift), significant=m.significant)
            for m in message.shifts
        ),
    )


def estimate_from(message: pb.IntervalEstimate) -> IntervalEstimate:
    """Return a figure with its interval."""
    return IntervalEstimate(value=message.value, low=message.low, high=message.high)


def skill_from(message: pb.SkillSplit) -> SkillSplit:
    """Return a split of the log loss saved."""
    return SkillSplit(
        log_loss_saved=estimate_from(message.log_loss_saved),
        flat=estimate_from(message.flat),
        direction=estimate_from(message.direction),
        moved_hit_rate=estimate_from(message.moved_hit_rate),
        verdict=enum_from(pb.SkillVerdict, SkillVerdict, message.verdict),
    )


def _shadow_from(message: pb.ShadowRecord) -> ShadowRecord:
    return ShadowRecord(
        compared=message.compared, disagreed=message.disagreed, against=ref_from(message.against)
    )
