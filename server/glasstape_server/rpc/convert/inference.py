"""Predictions and models for the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.values import SECOND, Confidence
from glasstape_server.explain import catalog
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Refusal
from glasstape_server.rpc.convert.explanations import check_to
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.convert.signals import (
    ENTRIES,
    confidence_to,
    ref_to,
)
from glasstape_server.rpc.status import status_of
from glasstape_server.serving.items import Item
from glasstape_server.signals.performance.calibration import BAND, Estimate, Live
from glasstape_server.signals.performance.shadow import Comparison


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


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What is known of models since they serve, by digest; None: nothing."""

    calibration: Callable[[str], Live | None]
    shadow: Callable[[str], Comparison | None]


def model_to(model: Model, active: bool, figures: LiveFigures) -> pb.Model:
    """The description of a ready model."""
    manifest, spec, rule = model.manifest, model.spec, model.label_rule
    mean, deviation = model.statistics.mean.tolist(), model.statistics.deviation.tolist()
    data = manifest.data
    live = figures.calibration(model.ref.digest)
    compared = None if active else figures.shadow(model.ref.digest)
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
        methods=[pb.Method.ValueType(int(name)) for name in catalog.served(model)],
        metrics=[pb.Metric(name=name, value=value) for name, value in sorted(manifest.metrics.items())],
        training_data=(
            f"{', '.join(data.symbols[:20])}{' ...' if len(data.symbols) > 20 else ''}; "
            f"training {_day(data.training.first_close)} to {_day(data.training.last_close)}, "
            f"validation to {_day(data.validation.last_close)}; seed {data.seed}; SHA-256 {data.sha256}"
        ),
        seen_until=timestamp(int(data.validation.last_close.timestamp()) * SECOND),
        checks=[check_to(check) for check in manifest.checks],
        live=None if live is None else _live_to(live),
        shadow=None
        if compared is None
        else pb.ShadowRecord(
            compared=compared.compared, disagreed=compared.disagreed, against=ref_to(compared.against)
        ),
        reliability=[
            pb.ReliabilityPoint(stated=point.stated, realised=point.realised, count=point.count)
            for point in manifest.reliability
        ],
    )


def _live_to(live: Live) -> pb.LiveCalibration:
    def estimate(found: Estimate) -> pb.Estimate:
        return pb.Estimate(value=found.value, low=found.low, high=found.high)

    return pb.LiveCalibration(
        state=pb.CalibrationState.ValueType(int(live.state)),
        sessions=live.sessions,
        outcomes=live.outcomes,
        winner_gap=estimate(live.winner_gap),
        up_gap=estimate(live.up_gap),
        band=BAND,
        novel_share=estimate(live.novel_share),
        drifted=live.drifted,
    )


def refusal_to(refusal: Refusal) -> pb.Model:
    """The description of a refused model."""
    return pb.Model(
        ref=pb.ModelRef(name=refusal.name, version=refusal.version),
        state=pb.MODEL_STATE_REFUSED,
        refusal=refusal.reason,
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
