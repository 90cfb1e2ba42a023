"""From bars to an artefact: split, label, fit, calibrate, save."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import torch

from glasstape_server.domain import SECOND, Float32s, Floats, Ints
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models import artefact
from glasstape_server.models.architectures import build, default_config
from glasstape_server.models.manifest import LABEL, Architecture, Manifest, Period, TrainingData
from glasstape_server.models.model import Scorer, Statistics
from glasstape_server.training import calibrate, dataset
from glasstape_server.training.checks import check_model
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import FitOptions, Progress, fit, logits_of

GOLDEN_WINDOWS = 8
BACKGROUND_WINDOWS = 32
"""Ordinary windows that go with the model, evenly spaced in time."""
LEAST_WINDOWS = 64


class TrainingError(ValueError):
    """Nothing can be trained from this; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train, from what, until when."""

    name: str
    version: str
    interval: str
    train_until: int
    """First close time that is not training data, microseconds."""
    validate_until: int
    """First close time that is not validation data, microseconds."""
    architecture: str = "conv1d"
    spec: FeatureSpec = field(default_factory=FeatureSpec)
    rule: LabelRule = field(default_factory=LabelRule)
    fit: FitOptions = field(default_factory=FitOptions)
    time_zone: str = "UTC"


def train(frame: pl.DataFrame, plan: Plan, folder: Path, progress: Progress = lambda e, t, v: None) -> Path:
    """Train a model and save it to `folder`/NAME/VERSION; returns that folder.

    A gap of one horizon lies between training and validation, so that no label looks across.

    Raises:
        TrainingError: too little data on one side.
        FileExistsError: that version exists.
    """
    for field_name in ("name", "version"):
        if not re.fullmatch(LABEL, getattr(plan, field_name)):
            raise TrainingError(f"{field_name}: must match {LABEL}, is {getattr(plan, field_name)!r}")
    if plan.rule.horizon_bars < 1:
        raise TrainingError(f"horizon: must be 1 or more, is {plan.rule.horizon_bars}")
    everything = dataset.build(frame, plan.interval, plan.spec, plan.rule, plan.time_zone)
    training, validation = _split(everything, plan)
    rule = dataset.fit_threshold(training, plan.rule)

    # In float64 one window after another, so that mean and deviation repeat bit for bit.
    flat = training.windows.reshape(-1, training.windows.shape[2]).astype(np.float64)
    mean = torch.tensor(flat.mean(axis=0), dtype=torch.float32)
    deviation = torch.tensor(flat.std(axis=0), dtype=torch.float32).clamp_min(1e-6)
    inputs = [(torch.from_numpy(part.windows) - mean) / deviation for part in (training, validation)]
    labels = [part.labels(rule) for part in (training, validation)]

    config = default_config(plan.architecture, plan.spec.window_bars, len(plan.spec.names))
    network = fit(
        partial(build, plan.architecture, config),
        (inputs[0], torch.from_numpy(labels[0])),
        (inputs[1], torch.from_numpy(labels[1])),
        plan.fit,
        progress,
    )

    logits = logits_of(network, inputs[1])
    temperature = calibrate.fit_temperature(logits, labels[1])
    stated = calibrate.probabilities(logits, temperature)
    centre, precision, quantiles = calibrate.novelty_statistics(inputs[0].numpy(), inputs[1].numpy())
    golden = torch.from_numpy(_evenly(validation.windows, GOLDEN_WINDOWS))
    scorer = Scorer(network, mean, deviation).eval().requires_grad_(False)
    golden_logits = scorer(golden)
    background = torch.from_numpy(_evenly(training.windows, BACKGROUND_WINDOWS))
    statistics = Statistics(mean, deviation, centre, precision, quantiles, golden, golden_logits, background)
    architecture = Architecture(name=plan.architecture, config=config)

    seen = frame.filter(pl.col("close_time") < plan.validate_until)
    levels = calibrate.thresholds(stated, labels[1])
    manifest = Manifest(
        name=plan.name,
        version=plan.version,
        interval=plan.interval,
        architecture=architecture,
        feature_spec=plan.spec.to_dict(),
        label_rule=rule.to_dict(),
        temperature=temperature,
        thresholds=levels,
        metrics=_metrics(stated, logits, labels, levels.abstain),
        checks=check_model(
            scorer,
            architecture,
            torch.from_numpy(validation.windows),
            stated,
            labels[1],
            validation.close_time,
            np.bincount(labels[0], minlength=3) / len(labels[0]),
        ),
        data=TrainingData(
            sha256=dataset.digest(frame),
            symbols=tuple(sorted(seen["symbol"].unique().to_list())),
            seed=plan.fit.seed,
            training=_period(training),
            validation=_period(validation),
        ),
        weights_sha256="0" * 64,
    )
    return artefact.save(folder, manifest, network, statistics)


def _evenly(windows: Float32s, count: int) -> Float32s:
    """`count` windows, evenly spaced, or all if there are fewer."""
    return windows[np.unique(np.linspace(0, len(windows) - 1, count).astype(np.int64))].copy()


def _split(everything: Dataset, plan: Plan) -> tuple[Dataset, Dataset]:
    times = np.unique(everything.close_time)
    position = int(np.searchsorted(times, plan.train_until)) - plan.rule.bars_ahead
    end = int(times[position]) if position > 0 else 0
    training = everything.between(0, end)
    position = int(np.searchsorted(times, plan.validate_until)) - plan.rule.bars_ahead
    last = int(times[position]) if 0 < position < len(times) else plan.validate_until
    validation = everything.between(plan.train_until, last)
    for name, part in (("training", training), ("validation", validation)):
        if len(part) < LEAST_WINDOWS:
            begin, stop = (_day(int(everything.close_time[i])) if len(everything) else "-" for i in (0, -1))
            raise TrainingError(
                f"{name}: {len(part)} labelled windows, at least {LEAST_WINDOWS} are needed; the data has windows "
                f"from {begin} to {stop}, training ends before {_day(plan.train_until)} and validation before "
                f"{_day(plan.validate_until)} (--train-until, --validate-until)"
            )
    return training, validation


def _metrics(stated: Floats, logits: Floats, labels: list[Ints], abstain: float) -> dict[str, float]:
    found = {f"validation/{name}": v for name, v in calibrate.metrics(stated, labels[1], abstain).items()}
    plain = calibrate.probabilities(logits, 1.0)
    found["validation/ece_uncalibrated"] = round(calibrate.expected_calibration_error(plain, labels[1]), 6)
    for index, name in enumerate(("down", "flat", "up")):
        found[f"training/{name}_share"] = round(float((labels[0] == index).mean()), 6)
    return found


def _day(time: int) -> str:
    return f"{datetime.fromtimestamp(time / SECOND, UTC):%Y-%m-%d}"


def _period(part: Dataset) -> Period:
    first, last = (datetime.fromtimestamp(int(part.close_time[i]) / SECOND, UTC) for i in (0, -1))
    return Period(first_close=first, last_close=last, windows=len(part))
