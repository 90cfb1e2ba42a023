"""Several networks and seeds on the same material, compared on the same validation windows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from glasstape_server.models.artifact import load, read_manifest
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.networks.architectures import ENSEMBLE, MAX_MEMBERS
from glasstape_server.training.checkpoint import CheckpointError
from glasstape_server.training.fit import FitOptions, Report
from glasstape_server.training.train import Material, Plan, Trained, save, together, train

CHECKPOINTS = ".training"
"""Folder beside the models in which interrupted trainings lie."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Which models to make of one material."""

    name: str
    """Of the model; several networks append their own."""
    version: str
    """Of the model; several seeds append their number."""
    architectures: tuple[str, ...] = ("conv1d",)
    seeds: int = 1
    fit: FitOptions = field(default_factory=FitOptions)
    """Its seed is the first one's."""
    ensemble: bool = False
    """Whether to average the logits of all of them as one model more."""

    def __post_init__(self) -> None:
        count = len(self.architectures) * self.seeds
        if self.ensemble and not 2 <= count <= MAX_MEMBERS:
            raise ValueError(
                f"ensemble: must average 2-{MAX_MEMBERS} networks (of several kinds or seeds), is {count}"
            )

    def plans(self) -> list[Plan]:
        """Every network with every seed."""
        return [
            Plan(
                name=self.name if len(self.architectures) == 1 else f"{self.name}-{architecture}",
                version=self.version if self.seeds == 1 else f"{self.version}.{number}",
                architecture=architecture,
                fit=replace(self.fit, seed=self.fit.seed + number),
            )
            for architecture in self.architectures
            for number in range(self.seeds)
        ]

    def averaged(self) -> Plan:
        """The ensemble of all."""
        return Plan(name=f"{self.name}-{ENSEMBLE}", version=self.version, architecture=ENSEMBLE, fit=self.fit)


Reporter = Callable[[Plan], Report]
"""Makes the report of one training."""


def train_all(
    material: Material, run: Run, folder: Path, reporter: Reporter, *, resume: bool = False
) -> list[Path]:
    """Train and save every model of a run; returns their folders.

    Args:
        material: what to learn from.
        run: which models.
        folder: of artifacts.
        reporter: makes the report of each training.
        resume: go on where an earlier run was interrupted: models that are done are kept, and one that was
            under way goes on after its last whole pass. Otherwise what an earlier run left is thrown away.

    Raises:
        FileExistsError: a version exists; nothing was trained.
        CheckpointError: what was left, or is done, is of another training.
        ArtifactError: what is done is damaged.
        TrainingError: a name cannot be a folder's.
    """
    plans = [*run.plans(), *([run.averaged()] if run.ensemble else [])]
    existing = [plan for plan in plans if (folder / plan.name / plan.version).exists()]
    if existing and not resume:
        raise FileExistsError(f"{folder / existing[0].name / existing[0].version}: this version exists")
    trained: list[Trained] = []
    for plan in run.plans():
        if plan in existing:
            model = load(folder / plan.name / plan.version)
            _check_same(model.manifest, material, plan, folder)
            trained.append(Trained(plan, model.manifest.architecture, model.scorer.network))
            continue
        checkpoint = folder / CHECKPOINTS / f"{plan.name}-{plan.version}.safetensors"
        if not resume:
            checkpoint.unlink(missing_ok=True)
        made = train(material, plan, reporter(plan), folder / CHECKPOINTS)
        save(material, made, folder)
        checkpoint.unlink(missing_ok=True)
        trained.append(made)
    if run.ensemble and run.averaged() in existing:
        done = read_manifest(folder / run.averaged().name / run.averaged().version)
        _check_same(done, material, run.averaged(), folder)
    elif run.ensemble:
        save(material, together(trained, run.averaged()), folder)
    if (folder / CHECKPOINTS).is_dir() and not any((folder / CHECKPOINTS).iterdir()):
        (folder / CHECKPOINTS).rmdir()
    return [folder / plan.name / plan.version for plan in plans]


def _check_same(done: Manifest, material: Material, plan: Plan, folder: Path) -> None:
    """Raise CheckpointError unless a finished model is what this run would make."""
    setting = material.setting
    ours = {
        "data": material.sha256,
        "seed": plan.fit.seed,
        "network": plan.architecture,
        "features": setting.spec.to_dict(),
        "labels": material.rule.to_dict(),
        "interval": setting.interval,
        "training": (len(material.training), len(material.validation)),
    }
    theirs = {
        "data": done.data.sha256,
        "seed": done.data.seed,
        "network": done.architecture.name,
        "features": done.feature_spec,
        "labels": done.label_rule,
        "interval": done.interval,
        "training": (done.data.training.windows, done.data.validation.windows),
    }
    different = [name for name, value in ours.items() if value != theirs[name]]
    if different:
        where = folder / plan.name / plan.version
        raise CheckpointError(
            f"{where}: was trained with other {', '.join(different)}; --resume cannot go on from it"
        )


def compared(manifests: Sequence[Manifest]) -> str:
    """A table of models that were validated on the same windows, best log loss first."""
    rows = [
        (
            "model",
            "network",
            "seed",
            "accuracy",
            "base rate",
            "log loss",
            "prior's",
            "ECE before",
            "ECE",
            "skill",
        )
    ]
    for manifest in sorted(manifests, key=lambda found: found.metrics["validation/log_loss"]):
        m = {name.removeprefix("validation/"): value for name, value in manifest.metrics.items()}
        skill = next((check.value for check in manifest.checks if check.name == "skill"), 0.0)
        rows.append(
            (
                f"{manifest.name}@{manifest.version}", manifest.architecture.name, str(manifest.data.seed),
                f"{m['accuracy']:.2%}", f"{m['base_rate']:.2%}", f"{m['log_loss']:.4f}", f"{m['prior_log_loss']:.4f}",
                f"{m['ece_uncalibrated']:.4f}", f"{m['ece']:.4f}", f"{skill:+.1f}",
            )
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )
