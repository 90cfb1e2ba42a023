"""One retraining: train a new version on the latest bars, let it shadow the active model, promote by a rule."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from glasstape_server.domain.arrays import Ints
from glasstape_server.domain.times import SECOND
from glasstape_server.features.labels import LabelRule
from glasstape_server.features.spec import FeatureSpec
from glasstape_server.models.artifact import load
from glasstape_server.models.manifest import Manifest
from glasstape_server.models.networks.architectures import BOOSTED, BUILDABLE
from glasstape_server.models.promotion import promote
from glasstape_server.models.published_version import published, versions
from glasstape_server.training.boosting import BoostingOptions
from glasstape_server.training.candidates import Candidates, RetrainingError, candidates_of
from glasstape_server.training.fit import FitOptions
from glasstape_server.training.promotion_rule import LabeledBars, PromotionRule, judge
from glasstape_server.training.train import TrainingPlan, save, train
from glasstape_server.training.training_split import TrainingSettings, TrainingSplit
from glasstape_server.training.usable_bars import UsableBars

TRAINING_SHARE = 0.85
"""Share of the closes that are training data; the rest is the validation period."""
VERSION = "%Y%m%d.%H%M"
"""Version of a candidate: the last close of its bars, UTC."""


@dataclass(frozen=True, kw_only=True)
class RetrainingPlan:
    """What to retrain, and when a candidate is promoted."""

    root: Path
    """Folder of artifacts."""
    model: str
    """NAME or NAME@VERSION, whose network, options, features and labels the new version takes."""
    rule: PromotionRule
    promote: bool = True
    """Whether a candidate that passes the rule is promoted."""
    rolling: int = 0
    """Time before the last close whose bars are used, microseconds; 0: all bars."""
    lifetime: timedelta | None = None
    """Time from the last close of a new version's data to its expiry; None: it does not expire."""
    keep: int = 4
    """Candidates that are kept, 1 or more; older ones are removed."""

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep: must be 1 or more, is {self.keep}")

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.partition("@")[0]


Report = Callable[[str], None]
"""Called with each sentence on what was done."""


def retrain(
    plan: RetrainingPlan,
    template: Manifest,
    read: Callable[[], Iterable[UsableBars]],
    time_zone: str,
    report: Report,
) -> str:
    """Train a candidate if there are new bars, judge the candidates, and promote the newest that passes.

    Args:
        plan: what to do.
        template: manifest of the model whose settings are taken.
        read: returns all bars, in whole symbols.
        time_zone: of trading days.
        report: called with what was done.

    Returns:
        The version that publishes afterwards, NAME@VERSION.

    Raises:
        RetrainingError: another retraining of the model runs, or its state is damaged.
        ArtifactError: the active model or a candidate is damaged.
        TrainingError: too little data.
        OSError: a file cannot be written.
    """
    with candidates_of(plan.root, plan.name) as candidates:
        active = _pin(plan, template.interval, report)
        _drop_older(plan, candidates, active, report)
        closes = _closes(read)
        version = datetime.fromtimestamp(int(closes[-1]) / SECOND, UTC).strftime(VERSION)
        known = [*candidates.versions, *(m.version for m in versions(plan.root) if m.name == plan.name)]
        last = max(map(_dated, known), default="")
        if last >= version:
            report(f"no bars later than those of {plan.name}@{last}: nothing to train")
        else:
            candidates.add(version)
            _train(plan, template, version, closes, read, time_zone)
            report(f"trained {plan.name}@{version}: a candidate, which publishes nothing")
        bars = LabeledBars(read, template.interval, time_zone, int(closes[-1]))
        active = _judge_all(plan, candidates, active, bars, report)
        if surplus := candidates.versions[: -plan.keep]:
            candidates.remove(surplus)
            report(f"removed {', '.join(surplus)}: older than the newest {plan.keep} candidates")
    manifest = load(_folder(plan.root, active)).manifest
    if manifest.expired(bars.last_close):
        report(
            f"the active model {active} expired on {manifest.expires:%Y-%m-%d %H:%M} UTC and still publishes"
        )
    return active


def template_of(root: Path, model: str) -> Manifest:
    """Return the manifest of NAME@VERSION; of NAME, that of the version that was promoted, else the newest.

    Raises:
        RetrainingError: there is none, or it is an ensemble.
        ArtifactError: the file of the promotion cannot be read.
    """
    name, _, version = model.partition("@")
    known = versions(root)
    of_name = [manifest for manifest in known if manifest.name == name]
    if not version and of_name:
        active, was_promoted = published(root, of_name[0].interval)
        if was_promoted and active.partition("@")[0] == name:
            version = active.partition("@")[2]
    chosen = next((m for m in of_name if version in ("", m.version)), None)
    if chosen is None:
        names = ", ".join(f"{m.name}@{m.version}" for m in known) or "none"
        raise RetrainingError(f"model: {model} does not exist in {root}; versions: {names}")
    if chosen.architecture.name not in BUILDABLE:
        raise RetrainingError(
            f"model: {model} is an {chosen.architecture.name}; retrain a single network or trees"
        )
    return chosen


def _pin(plan: RetrainingPlan, interval: str, report: Report) -> str:
    """Return the active version; promote it if it publishes for being the newest, as the candidate would then."""
    active, was_promoted = published(plan.root, interval)
    if not was_promoted:
        promote(plan.root, active)
        report(f"promoted {active}, which is active, so that no candidate publishes before it is promoted")
    return active


def _drop_older(plan: RetrainingPlan, candidates: Candidates, active: str, report: Report) -> None:
    """Leave out a candidate that is active now, and remove those that are older."""
    name, _, version = active.partition("@")
    if name == plan.name and (older := candidates.promoted(version)):
        report(f"removed {', '.join(older)}: older than the active model {active}")


def _dated(version: str) -> str:
    """Return a version that was named by `VERSION`; empty: it has another name."""
    return version if re.fullmatch(r"[0-9]{8}\.[0-9]{4}", version, re.ASCII) else ""


def _closes(read: Callable[[], Iterable[UsableBars]]) -> Ints:
    """Return the distinct closes of all bars, ascending.

    Raises:
        RetrainingError: there are no bars.
    """
    closes = [bars.frame["close_time"].unique().to_numpy() for bars in read()]
    distinct = np.unique(np.concatenate(closes)) if closes else np.zeros(0, np.int64)
    if not len(distinct):
        raise RetrainingError("data: there are no bars")
    return distinct


def _train(
    plan: RetrainingPlan,
    template: Manifest,
    version: str,
    closes: Ints,
    read: Callable[[], Iterable[UsableBars]],
    time_zone: str,
) -> None:
    """Train a version with the settings of the template, and save it."""
    used = closes[closes > closes[-1] - plan.rolling] if plan.rolling else closes
    until = int(used[int(TRAINING_SHARE * (len(used) - 1))])
    settings = TrainingSettings(
        interval=template.interval,
        train_until=until,
        validate_until=int(closes[-1]) + 1,
        spec=FeatureSpec.from_dict(template.feature_spec),
        rule=LabelRule.from_dict(template.label_rule),
        time_zone=time_zone,
        rolling=until - int(used[0]) if plan.rolling else 0,
    )
    data = TrainingSplit(read(), settings)
    save(data, train(data, training_plan(template, version, plan.lifetime)), plan.root)


def training_plan(template: Manifest, version: str, lifetime: timedelta | None) -> TrainingPlan:
    """Return the plan of another version of a model.

    Raises:
        ValueError: its options are out of range.
    """
    boosted = template.architecture.name in BOOSTED
    values, seed = template.data.fit, template.data.seed
    return TrainingPlan(
        name=template.name,
        version=version,
        architecture=template.architecture.name,
        fit=FitOptions(seed=seed) if boosted else _options(FitOptions, values, seed),
        boosting=_options(BoostingOptions, values, seed) if boosted else BoostingOptions(),
        lifetime=lifetime,
    )


_Options = TypeVar("_Options", FitOptions, BoostingOptions)


def _options(kind: type[_Options], values: dict[str, float], seed: int) -> _Options:
    """Return options of a manifest's figures; whole numbers become integers again. Unknown ones are left out."""
    known: dict[str, Any] = {
        field.name: int(values[field.name]) if field.type in (int, "int") else values[field.name]
        for field in fields(kind)
        if field.name in values
    }
    return kind(**{**known, "seed": seed})


def _judge_all(
    plan: RetrainingPlan,
    candidates: Candidates,
    active: str,
    bars: LabeledBars,
    report: Report,
) -> str:
    """Judge the candidates, newest first; return the version that is active afterwards."""
    current = load(_folder(plan.root, active))
    for version in reversed(candidates.versions):
        name = f"{plan.name}@{version}"
        judgment = judge(load(plan.root / plan.name / version), current, bars, plan.rule)
        if not judgment.passed:
            report(f"{name} stays a candidate: {judgment.text}")
            continue
        if not plan.promote:
            report(f"{name} passed: {judgment.text}")
            report(f"to publish with it: glasstape models promote {name} --models {plan.root}")
            return active
        promote(plan.root, name)
        report(f"promoted {name} (before: {active}): {judgment.text}")
        _drop_older(plan, candidates, name, report)
        return name
    return active


def _folder(root: Path, model: str) -> Path:
    name, _, version = model.partition("@")
    return root / name / version
