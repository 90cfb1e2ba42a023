"""Training of a model: fit a network, calibrate it, check it, and save it as an artifact."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.skill import clusters
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import DAY, SECOND
from glasstape_server.models import artifact
from glasstape_server.models.manifest import NAME_PATTERN, Architecture, Check, Manifest, Period, TrainingData
from glasstape_server.models.model import Statistics
from glasstape_server.models.networks.architectures import (
    BOOSTED,
    build,
    config_values,
    default_config,
)
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate
from glasstape_server.training.boosting import BoostingOptions, boost
from glasstape_server.training.checkpoint import Checkpoint, checkpoint_files
from glasstape_server.training.checks import check_model, no_skill, skill
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import EpochCallback, FitOptions, fit, logits_of
from glasstape_server.training.rank_head import RankHead, fit_rank_head, rank_metrics, split_examples
from glasstape_server.training.training_split import CHECK_RULE, TrainingError, TrainingSplit

GOLDEN_WINDOWS = 8
BACKGROUND_WINDOWS = 32
"""Background windows of the artifact, evenly spaced in time."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A model to train."""

    name: str
    version: str
    architecture: str = "conv1d"
    fit: FitOptions = field(default_factory=FitOptions)
    boosting: BoostingOptions = field(default_factory=BoostingOptions)
    """Options of trees, except the seed."""
    rank_head: bool = False
    """Whether it also ranks the symbols of a close."""
    selection: Mapping[str, float] = field(default_factory=dict)
    """Metrics of how the options were chosen, for the manifest."""
    lifetime: timedelta | None = None
    """Time from the last close of the data to the expiry of the model; None: it does not expire."""

    @property
    def options(self) -> FitOptions | BoostingOptions:
        """Hyperparameters of its architecture, with the seed."""
        boosted = self.architecture in BOOSTED
        return replace(self.boosting, seed=self.fit.seed) if boosted else self.fit


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A trained network, before calibration."""

    plan: TrainingPlan
    architecture: Architecture
    network: nn.Module
    members: tuple[dict[str, object], ...] = ()
    """Name, version, network and seed of each member of an ensemble."""
    rank_head: RankHead | None = None


def train(
    data: TrainingSplit,
    plan: TrainingPlan,
    on_epoch: EpochCallback = lambda epoch, training, validation: None,
    checkpoints: Path | None = None,
) -> TrainedNetwork:
    """Train a network.

    Args:
        data: windows and labels of training and validation.
        plan: the network and its options.
        on_epoch: called after each epoch.
        checkpoints: folder of checkpoints, to resume an interrupted training of this plan.

    Raises:
        TrainingError: the name or version is invalid as a folder's name, or too few windows can be ranked.
        CheckpointError: the checkpoint belongs to another training.
        ValueError: trees, and a class has no training window or LightGBM is not installed.
    """
    check_label("name", plan.name)
    check_label("version", plan.version)
    ranked = split_examples(data) if plan.rank_head else None  # raises before anything is fitted
    trained = (_train_trees if plan.architecture in BOOSTED else _train_network)(
        data, plan, on_epoch, checkpoints
    )
    if ranked is None:
        return trained
    checkpoint = _checkpoint(data, plan, {"head": "rank"}, checkpoints, 1)
    shape = data.settings.spec.window_shape
    head = fit_rank_head(plan.architecture, ranked, shape, plan.options, on_epoch, checkpoint)
    return replace(trained, rank_head=head)


def _train_network(
    data: TrainingSplit, plan: TrainingPlan, on_epoch: EpochCallback, checkpoints: Path | None
) -> TrainedNetwork:
    config = default_config(plan.architecture, *data.settings.spec.window_shape)
    checkpoint = _checkpoint(data, plan, config, checkpoints)
    make = partial(build, plan.architecture, config)
    network = fit(make, *data.examples, plan.fit, on_epoch, checkpoint)
    return TrainedNetwork(plan, Architecture(name=plan.architecture, config=config), network)


def check_label(field_name: str, value: str) -> None:
    """Check a name or version.

    Raises:
        TrainingError: it is invalid as a folder's name.
    """
    if not re.fullmatch(NAME_PATTERN, value):
        raise TrainingError(f"{field_name}: must match {NAME_PATTERN}, is {value!r}")


def _train_trees(
    data: TrainingSplit, plan: TrainingPlan, on_round: EpochCallback, checkpoints: Path | None
) -> TrainedNetwork:
    del checkpoints  # trees are fitted in one piece
    options = replace(plan.boosting, seed=plan.fit.seed)
    trees = boost(plan.architecture, *data.examples, options, on_round)
    return TrainedNetwork(
        plan, Architecture(name=plan.architecture, config=config_values(trees.config)), trees
    )


def _checkpoint(
    data: TrainingSplit, plan: TrainingPlan, config: dict[str, object], folder: Path | None, part: int = 0
) -> Checkpoint | None:
    """Return the checkpoint of a plan's network (part 0) or rank head (part 1); None without a folder."""
    if folder is None:
        return None
    file = checkpoint_files(folder, plan.name, plan.version)[part]
    return Checkpoint(file, _fingerprint(data, plan, config))


def save(data: TrainingSplit, trained: TrainedNetwork, folder: Path) -> Path:
    """Calibrate and check a network, and save it to `folder`/NAME/VERSION; return that folder.

    Raises:
        FileExistsError: that version exists.
    """
    training, validation, check, labels = data.training, data.validation, data.check, data.labels
    logits = logits_of(trained.network, data.examples[1])
    temperature = calibrate.fit_temperature(logits, labels[1])
    probabilities = softmax(logits, temperature)
    thresholds = calibrate.thresholds(probabilities, labels[1])
    mean, deviation = data.normalization.mean, data.normalization.deviation
    scorer = Scorer(trained.network, mean, deviation).eval().requires_grad_(False)
    golden = torch.from_numpy(_evenly_spaced(validation, GOLDEN_WINDOWS))
    head, rank_scores = trained.rank_head, None
    if head is not None:
        rank_scorer = Scorer(head.network, mean, deviation).eval().requires_grad_(False)
        rank_scores = rank_scorer(golden)
    statistics = Statistics(
        mean, deviation, *calibrate.novelty_statistics(*data.examples), golden, scorer(golden),
        torch.from_numpy(_evenly_spaced(training, BACKGROUND_WINDOWS)), rank_scores,
    )  # fmt: skip
    shares = np.bincount(labels[0], minlength=3) / len(labels[0])
    checked = None if check is None else softmax(logits_of(trained.network, check.examples), temperature)
    correct = probabilities.argmax(axis=1) == labels[1]
    lifetime, seen = trained.plan.lifetime, validation if check is None else check.data
    manifest = Manifest(
        name=trained.plan.name,
        version=trained.plan.version,
        interval=data.settings.interval,
        architecture=trained.architecture,
        feature_spec=data.settings.spec.to_dict(),
        label_rule=data.rule.to_dict(),
        temperature=temperature,
        thresholds=thresholds,
        metrics=_metrics(probabilities, logits, labels, thresholds.abstain, shares)
        | _check_metrics(data, checked, thresholds.abstain, shares)
        | _skill_metrics(data, probabilities if checked is None else checked, shares)
        | ({} if head is None else rank_metrics(data, head, probabilities if checked is None else checked))
        | dict(trained.plan.selection),
        checks=check_model(
            scorer,
            trained.architecture,
            validation if check is None else check.data,
            _skill(data, checked, shares),
        ),
        reliability=calibrate.reliability(probabilities.max(axis=1), correct),
        data=TrainingData(
            sha256=data.sha256,
            symbols=data.symbols,
            seed=trained.plan.fit.seed,
            training=_period(training),
            validation=_period(validation),
            check=None if check is None else _period(check.data),
            fit={name: value for name, value in asdict(trained.plan.options).items() if name != "seed"},
            members=trained.members,
        ),
        expires=None if lifetime is None else _period(seen).last_close + lifetime,
        weights_sha256="0" * 64,
        rank_head=None if head is None else head.architecture,
    )
    return artifact.save(
        folder, manifest, trained.network, statistics, None if head is None else head.network
    )


def _fingerprint(data: TrainingSplit, plan: TrainingPlan, config: dict[str, object]) -> str:
    settings, options = data.settings, {**vars(plan.fit), "epochs": None}
    parts = [
        data.sha256, settings.interval, settings.train_until, settings.validate_until, settings.time_zone,
        settings.spec.hash, data.rule.to_dict(), plan.architecture, config, options, len(data.validation),
        *([settings.rolling] if settings.rolling else []),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _evenly_spaced(data: Dataset, count: int) -> Float32s:
    """Return `count` evenly spaced windows (n, time, feature), or all if there are fewer."""
    return data.windows(np.unique(np.linspace(0, len(data) - 1, count).astype(np.int64)))


def _metrics(
    probabilities: Floats, logits: Floats, labels: tuple[Ints, Ints], abstain: float, prior: Floats
) -> dict[str, float]:
    validation = calibrate.metrics(probabilities, labels[1], abstain, prior)
    metrics = {f"validation/{name}": value for name, value in validation.items()}
    uncalibrated = softmax(logits, 1.0)
    errors: dict[str, Callable[[Floats, Ints], float]] = {
        "ece": calibrate.expected_calibration_error,
        "classwise_ece": calibrate.classwise_calibration_error,
    }
    for name, error in errors.items():
        metrics[f"validation/{name}_uncalibrated"] = round(error(uncalibrated, labels[1]), 6)
    for name, share in zip(("down", "flat", "up"), prior, strict=True):
        metrics[f"training/{name}_share"] = round(float(share), 6)
    return metrics


def _skill_metrics(data: TrainingSplit, probabilities: Floats, prior: Floats) -> dict[str, float]:
    """Return the skill metrics of the windows that selected nothing, or else of validation, from probabilities (n, 3).

    Windows of one session are one cluster.
    """
    part, windows, labels = "validation", data.validation, data.labels[1]
    if data.check is not None:
        part, windows, labels = "check", data.check.data, data.check.labels
    session, resolved = ((times - 1) // DAY for times in (windows.close_time, windows.known_time))
    figures = calibrate.skill_metrics(probabilities, labels, prior, clusters(session, resolved))
    return {f"{part}/{name}": value for name, value in figures.items()}


def _check_metrics(
    data: TrainingSplit, checked: Floats | None, abstain: float, prior: Floats
) -> dict[str, float]:
    """Return the figures of windows that selected nothing, from their probabilities (n, 3); none if there are none."""
    if data.check is None or checked is None:
        return {}
    figures = calibrate.metrics(checked, data.check.labels, abstain, prior)
    return {f"check/{name}": value for name, value in figures.items()}


def _skill(data: TrainingSplit, checked: Floats | None, prior: Floats) -> Check:
    """Check the skill on windows that selected nothing, from their probabilities (n, 3)."""
    if data.check is None or checked is None:
        return no_skill(CHECK_RULE)
    return skill(checked, data.check.labels, data.check.data.close_time, prior)


def _period(data: Dataset) -> Period:
    first, last = (datetime.fromtimestamp(int(data.close_time[i]) / SECOND, UTC) for i in (0, -1))
    return Period(first_close=first, last_close=last, windows=len(data))
