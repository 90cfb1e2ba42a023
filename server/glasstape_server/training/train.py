"""From bars to an artifact: split, label, fit, calibrate, save."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import nn

from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.values import SECOND, Direction, Float32s, Floats, Ints
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models import artifact
from glasstape_server.models.manifest import LABEL, Architecture, Manifest, Period, TrainingData
from glasstape_server.models.model import Statistics
from glasstape_server.models.networks.architectures import ENSEMBLE, build, default_config
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.batches import Batches, Normalisation
from glasstape_server.training.checkpoint import Checkpoint
from glasstape_server.training.checks import check_model
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import FitOptions, Report, fit, logits_of

GOLDEN_WINDOWS = 8
BACKGROUND_WINDOWS = 32
"""Ordinary windows that go with the model, evenly spaced in time."""
LEAST_WINDOWS = 64


class TrainingError(ValueError):
    """Nothing can be trained from this; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all models of one run share: bars, features, labels, and where learning ends."""

    interval: str
    train_until: int
    """First close time that is not training data, microseconds."""
    validate_until: int
    """First close time that is not validation data, microseconds."""
    spec: FeatureSpec = field(default_factory=FeatureSpec)
    rule: LabelRule = field(default_factory=LabelRule)
    time_zone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One model to train."""

    name: str
    version: str
    architecture: str = "conv1d"
    fit: FitOptions = field(default_factory=FitOptions)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network that has learnt, in memory."""

    plan: Plan
    architecture: Architecture
    network: nn.Module
    members: tuple[dict[str, object], ...] = ()
    """Of an ensemble: name, version, network and seed of each."""


class Material:
    """What a run learns from and is validated on: the same for every model of the run.

    Every outcome of training is known before validation begins, so that no label looks across.
    """

    def __init__(self, frames: pl.DataFrame | Iterable[pl.DataFrame], setting: Setting) -> None:
        """Compute features and labels.

        Args:
            frames: bars as `market.files` gives them; of several frames, each holds whole symbols.
            setting: what to make of them.

        Raises:
            TrainingError: too little data on one side.
        """
        if setting.rule.horizon_bars < 1:
            raise TrainingError(f"horizon: must be 1 or more, is {setting.rule.horizon_bars}")
        self._digests: dict[str, str] = {}
        self._first: dict[str, int] = {}
        everything = dataset.build(
            self._seen([frames] if isinstance(frames, pl.DataFrame) else frames),
            setting.interval, setting.spec, setting.rule, setting.time_zone,
        )  # fmt: skip
        self.setting = setting
        self.training, self.validation = _split(everything, setting)
        self.rule = self.training.fitted(setting.rule)
        self.normalisation = Normalisation.of(self.training)
        self.labels = (self.training.labels(self.rule), self.validation.labels(self.rule))
        for direction in Direction:
            if not (self.labels[0] == direction).any():
                raise TrainingError(
                    f"training: no window is {direction.name}; such a model could never say it"
                )
        self.batches = (
            Batches(self.training, self.labels[0], self.normalisation),
            Batches(self.validation, self.labels[1], self.normalisation),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that have a bar before validation ends, by name."""
        return tuple(sorted(s for s, first in self._first.items() if first < self.setting.validate_until))

    @property
    def sha256(self) -> str:
        """Digest of all bars."""
        return dataset.combined(self._digests)

    def _seen(self, frames: Iterable[pl.DataFrame]) -> Iterable[pl.DataFrame]:
        for frame in frames:
            self._digests |= dataset.digests(frame)
            firsts = frame.group_by("symbol").agg(pl.col("close_time").min())
            self._first |= dict(zip(firsts["symbol"], firsts["close_time"], strict=True))
            yield frame


def train(
    material: Material,
    plan: Plan,
    report: Report = lambda epoch, training, validation: None,
    checkpoints: Path | None = None,
) -> Trained:
    """Train one network.

    Args:
        material: what to learn from.
        plan: which network, with which seed.
        report: told after each pass.
        checkpoints: folder in which an interrupted training leaves what `plan` goes on from.

    Raises:
        TrainingError: the name or version cannot be a folder's.
        CheckpointError: the checkpoint is of another training.
    """
    for field_name in ("name", "version"):
        if not re.fullmatch(LABEL, getattr(plan, field_name)):
            raise TrainingError(f"{field_name}: must match {LABEL}, is {getattr(plan, field_name)!r}")
    spec = material.setting.spec
    config = default_config(plan.architecture, *spec.window_shape)
    checkpoint = None
    if checkpoints is not None:
        fingerprint = _fingerprint(material, plan, config)
        checkpoint = Checkpoint(checkpoints / f"{plan.name}-{plan.version}.safetensors", fingerprint)
    make = partial(build, plan.architecture, config)
    network = fit(make, *material.batches, plan.fit, report, checkpoint)
    return Trained(plan, Architecture(name=plan.architecture, config=config), network)


def together(members: Sequence[Trained], plan: Plan) -> Trained:
    """An ensemble of networks that were trained on the same material."""
    network = Ensemble([member.network for member in members])
    parts = [member.architecture.model_dump() for member in members]
    names = tuple(
        {
            "name": member.plan.name,
            "version": member.plan.version,
            "network": member.architecture.name,
            "seed": member.plan.fit.seed,
        }
        for member in members
    )
    return Trained(plan, Architecture(name=ENSEMBLE, config={"members": parts}), network.eval(), names)


def save(material: Material, trained: Trained, folder: Path) -> Path:
    """Calibrate, check and write a network to `folder`/NAME/VERSION; returns that folder.

    Raises:
        FileExistsError: that version exists.
    """
    training, validation, labels = material.training, material.validation, material.labels
    logits = logits_of(trained.network, material.batches[1])
    temperature = calibrate.fit_temperature(logits, labels[1])
    stated = softmax(logits, temperature)
    levels = calibrate.thresholds(stated, labels[1])
    mean, deviation = material.normalisation.mean, material.normalisation.deviation
    scorer = Scorer(trained.network, mean, deviation).eval().requires_grad_(False)
    golden = torch.from_numpy(_evenly(validation, GOLDEN_WINDOWS))
    statistics = Statistics(
        mean, deviation, *calibrate.novelty_statistics(*material.batches), golden, scorer(golden),
        torch.from_numpy(_evenly(training, BACKGROUND_WINDOWS)),
    )  # fmt: skip
    shares = np.bincount(labels[0], minlength=3) / len(labels[0])
    manifest = Manifest(
        name=trained.plan.name,
        version=trained.plan.version,
        interval=material.setting.interval,
        architecture=trained.architecture,
        feature_spec=material.setting.spec.to_dict(),
        label_rule=material.rule.to_dict(),
        temperature=temperature,
        thresholds=levels,
        metrics=_metrics(stated, logits, labels, levels.abstain),
        checks=check_model(
            scorer, trained.architecture, validation, stated, labels[1], validation.close_time, shares
        ),
        reliability=calibrate.reliability(stated.max(axis=1), stated.argmax(axis=1) == labels[1]),
        data=TrainingData(
            sha256=material.sha256,
            symbols=material.symbols,
            seed=trained.plan.fit.seed,
            training=_period(training),
            validation=_period(validation),
            fit={name: value for name, value in asdict(trained.plan.fit).items() if name != "seed"},
            members=trained.members,
        ),
        weights_sha256="0" * 64,
    )
    return artifact.save(folder, manifest, trained.network, statistics)


def _fingerprint(material: Material, plan: Plan, config: dict[str, object]) -> str:
    setting, options = material.setting, {**vars(plan.fit), "epochs": None}
    parts = [
        material.sha256, setting.interval, setting.train_until, setting.validate_until, setting.time_zone,
        setting.spec.hash, material.rule.to_dict(), plan.architecture, config, options,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _evenly(part: Dataset, count: int) -> Float32s:
    """`count` windows, evenly spaced, or all if there are fewer."""
    return part.windows(np.unique(np.linspace(0, len(part) - 1, count).astype(np.int64)))


def _split(everything: Dataset, setting: Setting) -> tuple[Dataset, Dataset]:
    training = everything.known_between(0, setting.train_until)
    validation = everything.known_between(setting.train_until, setting.validate_until)
    for name, part in (("training", training), ("validation", validation)):
        if len(part) < LEAST_WINDOWS:
            begin, stop = (_day(int(everything.close_time[i])) if len(everything) else "-" for i in (0, -1))
            raise TrainingError(
                f"{name}: {len(part)} labelled windows, at least {LEAST_WINDOWS} are needed; the data has windows "
                f"from {begin} to {stop}, training ends before {_day(setting.train_until)} and validation before "
                f"{_day(setting.validate_until)} (--train-until, --validate-until)"
            )
    return training, validation


def _metrics(stated: Floats, logits: Floats, labels: tuple[Ints, Ints], abstain: float) -> dict[str, float]:
    found = {f"validation/{name}": v for name, v in calibrate.metrics(stated, labels[1], abstain).items()}
    plain = softmax(logits, 1.0)
    errors: dict[str, Callable[[Floats, Ints], float]] = {
        "ece": calibrate.expected_calibration_error,
        "classwise_ece": calibrate.classwise_calibration_error,
    }
    for name, error in errors.items():
        found[f"validation/{name}_uncalibrated"] = round(error(plain, labels[1]), 6)
    for index, name in enumerate(("down", "flat", "up")):
        found[f"training/{name}_share"] = round(float((labels[0] == index).mean()), 6)
    return found


def _day(time: int) -> str:
    return f"{datetime.fromtimestamp(time / SECOND, UTC):%Y-%m-%d}"


def _period(part: Dataset) -> Period:
    first, last = (datetime.fromtimestamp(int(part.close_time[i]) / SECOND, UTC) for i in (0, -1))
    return Period(first_close=first, last_close=last, windows=len(part))
