"""Models for the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from glasstape.v1 import inference_pb2 as pb

from glasstape_server.domain.times import SECOND
from glasstape_server.explain import catalog
from glasstape_server.models.manifest import Manifest, TrainingData
from glasstape_server.models.model import Model
from glasstape_server.models.repository import Refusal
from glasstape_server.rpc.convert.explanations import check_to
from glasstape_server.rpc.convert.live import live_to
from glasstape_server.rpc.convert.market import timestamp
from glasstape_server.rpc.convert.predictions import ref_to
from glasstape_server.rpc.convert.reliability import reliability_point_to
from glasstape_server.rpc.convert.signals import ENTRIES
from glasstape_server.rpc.convert.skill import skill_split_to
from glasstape_server.signals.performance.live import Live
from glasstape_server.signals.performance.shadow import Comparison


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """Live figures of models, by digest; None: none yet."""

    live: Callable[[str], Live | None]
    shadow: Callable[[str], Comparison | None]


def basic_model_to(model: Model, active: bool) -> pb.Model:
    """Return a ready model in MODEL_VIEW_BASIC."""
    return pb.Model(
        ref=ref_to(model.ref),
        state=pb.MODEL_STATE_ACTIVE if active else pb.MODEL_STATE_READY,
        architecture=model.manifest.architecture.name,
        interval=model.manifest.interval,
        methods=[pb.Explanation.Method.ValueType(int(name)) for name in catalog.served(model)],
    )


def model_to(model: Model, active: bool, figures: LiveFigures) -> pb.Model:
    """Return the description of a ready model."""
    manifest, spec, rule = model.manifest, model.spec, model.label_rule
    mean, deviation = model.statistics.mean.tolist(), model.statistics.deviation.tolist()
    data = manifest.data
    live = figures.live(model.ref.digest)
    compared = None if active else figures.shadow(model.ref.digest)
    full = pb.Model(
        time_steps=spec.window_bars,
        features=[
            pb.ModelFeature(name=name, description=text, mean=m, standard_deviation=d)
            for name, text, m, d in zip(spec.names, spec.descriptions, mean, deviation, strict=True)
        ],
        min_bars=spec.min_bars,
        horizon_bars=rule.horizon_bars,
        entry=ENTRIES[rule.entry],
        label_rule=rule.text,
        temperature=manifest.temperature,
        abstain_threshold=manifest.thresholds.abstain,
        buy_ramp_low=manifest.thresholds.buy_ramp_low,
        buy_ramp_high=manifest.thresholds.buy_ramp_high,
        alert_threshold=manifest.thresholds.alert,
        metrics=[pb.ModelMetric(name=name, value=value) for name, value in sorted(manifest.metrics.items())],
        training_data=_training_data(data) + _expiry(manifest),
        seen_until=timestamp(int(data.seen_until.timestamp()) * SECOND),
        checks=[check_to(check) for check in manifest.checks],
        live=None if live is None else live_to(live),
        skill=skill_split_to(manifest.skill),
        shadow=None
        if compared is None
        else pb.ShadowRecord(
            compared=compared.compared, disagreed=compared.disagreed, against=ref_to(compared.against)
        ),
        reliability=[
            reliability_point_to(point.stated, point.realized, point.count) for point in manifest.reliability
        ],
    )
    full.MergeFrom(basic_model_to(model, active))
    return full


def _training_data(data: TrainingData) -> str:
    training, validation = data.training, data.validation
    check = "" if data.check is None else f", check to {_day(data.check.last_close)}"
    return (
        f"{', '.join(data.symbols[:20])}{' ...' if len(data.symbols) > 20 else ''}; "
        f"training {_day(training.first_close)} to {_day(training.last_close)}, "
        f"validation to {_day(validation.last_close)}{check}; seed {data.seed}; SHA-256 {data.sha256}"
    )


def _expiry(manifest: Manifest) -> str:
    return "" if manifest.expires is None else f"; expires {manifest.expires:%Y-%m-%d %H:%M} UTC"


def refusal_to(refusal: Refusal) -> pb.Model:
    """Return the description of a refused model."""
    return pb.Model(
        ref=pb.ModelRef(name=refusal.name, version=refusal.version),
        state=pb.MODEL_STATE_REFUSED,
        refusal=refusal.reason,
    )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
