"""Training run: several networks and seeds on the same data, compared on the same validation windows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from glasstape_server.models.artifact import load, read_manifest
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.model import Model
from glasstape_server.models.networks.architectures import BOOSTED, ENSEMBLE, MAX_ENSEMBLE_ROUNDS, MAX_MEMBERS
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.checkpoint import CheckpointError, checkpoint_files
from glasstape_server.training.ensembles import make_ensemble
from glasstape_server.training.fit import EpochCallback, FitOptions
from glasstape_server.training.rank_head import RankHead
from glasstape_server.training.train import (
    TrainedNetwork,
    TrainingPlan,
    save,
    train,
)
from glasstape_server.training.training_split import TrainingSplit

CHECKPOINTS = ".training"
"""Folder for checkpoints of interrupted trainings, inside the folder of models."""


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """Models to train on one data set."""

    name: str
    """Name of the model; with several networks, the prefix of their names."""
    version: str
    """Version of the model; with several seeds, the prefix of their versions."""
    architectures: tuple[str, ...] = ("conv1d",)
    seeds: int = 1
    fit: FitOptions = field(default_factory=FitOptions)
    """Options of the first seed; later ones count up its seed."""
    boosting: BoostingOptions = field(default_factory=BoostingOptions)
    """Options of trees."""
    rank_head: bool = False
    """Whether the models also rank the symbols of a close."""
    ensemble: bool = False
    """Whether to add a model that averages the logits of all others."""
    selection: Mapping[str, float] = field(default_factory=dict)
    """Metrics of how the options were chosen, for the manifests."""
    lifetime: timedelta | None = None
    """See `TrainingPlan`."""

    def __post_init__(self) -> None:
        count = len(self.architectures) * self.seeds
        if self.ensemble and not 2 <= count <= MAX_MEMBERS:
            raise ValueError(
                f"ensemble: must have 2-{MAX_MEMBERS} networks (several architectures or seeds), has {count}"
            )
        boosted = sum(name in BOOSTED for name in self.architectures) * self.seeds * self.boosting.rounds
        if self.ensemble and boosted > MAX_ENSEMBLE_ROUNDS:
            raise ValueError(
                f"ensemble: its trees must have at most {MAX_ENSEMBLE_ROUNDS} rounds (models times rounds), may get"
                f" {boosted}"
            )

    def plans(self) -> list[TrainingPlan]:
        """Return the plans of every network with every seed."""
        return [
            TrainingPlan(
                name=self.name if len(self.architectures) == 1 else f"{self.name}-{architecture}",
                version=self.version if self.seeds == 1 else f"{self.version}.{number}",
                architecture=architecture,
                fit=replace(self.fit, seed=self.fit.seed + number),
                boosting=self.boosting,
                rank_head=self.rank_head,
                selection=self.selection,
                lifetime=self.lifetime,
            )
            for architecture in self.architectures
            for number in range(self.seeds)
        ]

    def ensemble_plan(self) -> TrainingPlan:
        """Return the plan of the ensemble."""
        name = f"{self.name}-{ENSEMBLE}"
        return TrainingPlan(
            name=name,
            version=self.version,
            architecture=ENSEMBLE,
            fit=self.fit,
            rank_head=self.rank_head,
            lifetime=self.lifetime,
        )


EpochCallbackFactory = Callable[[TrainingPlan], EpochCallback]
"""Returns the callback of one training."""


def train_all(
    data: TrainingSplit,
    run: TrainingRun,
    folder: Path,
    callbacks: EpochCallbackFactory,
    *,
    resume: bool = False,
) -> list[Path]:
    """Train and save every model of a run; return their folders.

    Args:
        data: to train on.
        run: the models.
        folder: of artifacts.
        callbacks: returns the callback of each training.
        resume: keep finished models of an interrupted run, and resume an unfinished one after its last epoch.
            Otherwise checkpoints are discarded.

    Raises:
        FileExistsError: a version exists; nothing was trained.
        CheckpointError: a checkpoint or a finished model belongs to another training.
        ArtifactError: a finished model is damaged.
        TrainingError: a name is invalid as a folder's name.
    """
    plans = [*run.plans(), *([run.ensemble_plan()] if run.ensemble else [])]
    finished = [plan for plan in plans if (folder / plan.name / plan.version).exists()]
    if finished and not resume:
        raise FileExistsError(f"{folder / finished[0].name / finished[0].version}: this version exists")
    networks: list[TrainedNetwork] = []
    for plan in run.plans():
        if plan in finished:
            model = load(folder / plan.name / plan.version)
            _check_same(model.manifest, data, plan, folder)
            networks.append(_finished(plan, model))
            continue
        checkpoints = checkpoint_files(folder / CHECKPOINTS, plan.name, plan.version)
        if not resume:
            _remove(checkpoints)
        network = train(data, plan, callbacks(plan), folder / CHECKPOINTS)
        save(data, network, folder)
        _remove(checkpoints)
        networks.append(network)
    if run.ensemble and run.ensemble_plan() in finished:
        manifest = read_manifest(folder / run.ensemble_plan().name / run.ensemble_plan().version)
        _check_same(manifest, data, run.ensemble_plan(), folder)
    elif run.ensemble:
        save(data, make_ensemble(networks, run.ensemble_plan()), folder)
    if (folder / CHECKPOINTS).is_dir() and not any((folder / CHECKPOINTS).iterdir()):
        (folder / CHECKPOINTS).rmdir()
    return [folder / plan.name / plan.version for plan in plans]


def _finished(plan: TrainingPlan, model: Model) -> TrainedNetwork:
    """Return the networks of a finished model."""
    described, scorer = model.manifest.rank_head, model.rank_scorer
    head = None if described is None or scorer is None else RankHead(described, scorer.network)
    return TrainedNetwork(plan, model.manifest.architecture, model.scorer.network, rank_head=head)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _check_same(manifest: Manifest, data: TrainingSplit, plan: TrainingPlan, folder: Path) -> None:
    """Check that a finished model is the one that this plan would train.

    Raises:
        CheckpointError: its data, seed, network, head, features, labels, interval or windows differ.
    """
    settings = data.settings
    expected = {
        "data": data.sha256,
        "seed": plan.fit.seed,
        "network": plan.architecture,
        "head": plan.rank_head,
        "features": settings.spec.to_dict(),
        "labels": data.rule.to_dict(),
        "interval": settings.interval,
        "windows": (
            len(data.training),
            len(data.validation),
            0 if data.check is None else len(data.check.data),
        ),
    }
    actual = {
        "data": manifest.data.sha256,
        "seed": manifest.data.seed,
        "network": manifest.architecture.name,
        "head": manifest.rank_head is not None,
        "features": manifest.feature_spec,
        "labels": manifest.label_rule,
        "interval": manifest.interval,
        "windows": tuple(
            0 if part is None else part.windows
            for part in (manifest.data.training, manifest.data.validation, manifest.data.check)
        ),
    }
    different = [name for name, value in expected.items() if value != actual[name]]
    if different:
        path = folder / plan.name / plan.version
        raise CheckpointError(
            f"{path}: was trained with other {', '.join(different)}; --resume is not possible"
        )


def comparison_table(manifests: Sequence[Manifest]) -> str:
    """Return a table of models that were validated on the same windows, lowest log loss first.

    Log loss is saved against the prior, the class shares of all training windows, in two parts that add up. Kept calls
    are the share of UP and DOWN calls that are not abstained.
    """
    rows: list[tuple[str, ...]] = [
        (
            "model",
            "network",
            "seed",
            "accuracy",
            "base rate",
            "log loss saved",
            "= FLAT",
            "+ direction",
            "calls hit / base",
            "right when moved",
            "kept calls",
            "ECE uncalibrated",
            "ECE",
            "skill",
        )
    ]
    for manifest in sorted(manifests, key=lambda each: each.metrics["validation/log_loss"]):
        m = {name.removeprefix("validation/"): value for name, value in manifest.metrics.items()}
        skill = next((check.value for check in manifest.checks if check.name == "skill"), 0.0)
        measured = manifest.data.check is not None
        rows.append(
            (
                f"{manifest.name}@{manifest.version}", manifest.architecture.name, str(manifest.data.seed),
                f"{m['accuracy']:.2%}", f"{m['base_rate']:.2%}", *_skill_cells(manifest.metrics),
                f"{m['ece_uncalibrated']:.4f}", f"{m['ece']:.4f}", f"{skill:+.1f}" if measured else "-",
            )
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def _skill_cells(named: Mapping[str, float]) -> tuple[str, ...]:
    """Return the cells of the log loss saved and of UP and DOWN calls; a dash for figures that are not known."""
    part = "check/" if "check/log_loss_gain" in named else "validation/"
    metrics = {name.removeprefix(part): value for name, value in named.items() if name.startswith(part)}
    hit, base = (f"{metrics[n]:.1%}" if n in metrics else "–" for n in ("hit_rate", "call_base_rate"))
    saved, flat, direction = (
        f"{metrics[name]:+.4f}" if name in metrics else "–"
        for name in ("log_loss_gain", "flat_gain", "direction_gain")
    )
    moved = "–"
    if "moved_hit_rate" in metrics:
        value, low, high = (metrics[f"moved_hit_rate{end}"] for end in ("", "_low", "_high"))
        moved = f"{value:.1%} ({low:.1%} … {high:.1%})"
    kept = f"{metrics['kept_calls'] / metrics['calls']:.1%}" if metrics.get("calls") else "–"
    return saved, flat, direction, f"{hit} / {base}", moved, kept
