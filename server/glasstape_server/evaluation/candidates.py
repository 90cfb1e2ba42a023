"""Training and calibration of every candidate on every fold, and its predictions for the test windows."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import softmax
from glasstape_server.evaluation import epoch_reports
from glasstape_server.evaluation.baselines import CLASSIFIERS, RULES, ClassifierBaseline, rule_probabilities
from glasstape_server.evaluation.epoch_reports import EpochReport, EpochReporter
from glasstape_server.evaluation.network_importance import TestedMaps, measure
from glasstape_server.evaluation.rank_scores import fit_scores
from glasstape_server.evaluation.walk_forward import Fold, folds
from glasstape_server.evaluation.worker import initialize_process
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.networks.architectures import BOOSTED, BUILDABLE, build, default_config
from glasstape_server.models.scorer import Scorer
from glasstape_server.training import calibrate
from glasstape_server.training.boosting import BoostingOptions, boost
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import DatasetExamples, Normalization
from glasstape_server.training.fit import FitOptions, fit, logits_of

SHUFFLED = "shuffled:"
"""Prefix of a candidate that trains on shuffled labels, for a leak check."""
PATIENCE = 3


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """Candidates and folds of an evaluation."""

    candidates: tuple[str, ...]
    """Networks, trees and baselines; `shuffled:NETWORK` trains on shuffled labels."""
    folds: int = 5
    seeds: int = 1
    epochs: int = 10
    windows: int = 200_000
    """Largest number of training windows per fit, drawn at random from the fold's; likewise of validation windows."""
    rule: LabelRule = field(default_factory=LabelRule)
    rank_head: bool = False
    """Whether networks and trees also fit a rank head."""
    top: int | None = None
    """Symbols of the top-k test; None: a tenth of those of the close."""
    rolling: int = 0
    """Time from which each fold takes training windows, microseconds; 0: all earlier windows (expanding)."""
    maps: bool = True
    """Whether to measure what the networks look at."""

    @property
    def fits(self) -> int:
        """Number of fits: rules have one seed."""
        return self.folds * sum(1 if name in RULES else self.seeds for name in self.candidates)

    def __post_init__(self) -> None:
        known = {*BUILDABLE, *RULES, *CLASSIFIERS}
        unknown = [name for name in self.candidates if name.removeprefix(SHUFFLED) not in known]
        if unknown:
            raise ValueError(f"candidates: must be of {', '.join(sorted(known))}, has {', '.join(unknown)}")

    def split(self, data: Dataset) -> Iterator[Fold]:
        """Split labeled windows into the folds.

        Raises:
            ValueError: too few closes, or every symbol is held out.
        """
        return folds(data, self.folds, self.rule.bars_ahead, rolling=self.rolling)


@dataclass(frozen=True, slots=True)
class FoldTask:
    """One candidate on one fold with one seed."""

    folder: Path
    """Of the saved data set."""
    plan: EvaluationPlan
    candidate: str
    fold: int
    seed: int

    def to_text(self) -> str:
        """Return fold and candidate, for a line of progress."""
        seed = f" seed {self.seed}" if self.plan.seeds > 1 else ""
        return f"fold {self.fold + 1} of {self.plan.folds}, {self.candidate}{seed}"


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Predictions of one candidate on one fold."""

    task: FoldTask
    probabilities: Float32s
    """Calibrated probabilities of the test windows, (n, 3)."""
    probabilistic: bool
    """Whether the candidate predicts probabilities, not only classes."""
    validation_probabilities: Float32s
    """Calibrated probabilities of the validation windows, (m, 3)."""
    validation_labels: Ints
    """Class indices of the validation windows, (m,)."""
    labels: Ints
    """Class indices of the test windows, (n,)."""
    returns: Floats
    """Log returns that determined them, (n,)."""
    shares: Floats
    """Prior: class shares of all training windows of the fold, (3,)."""
    k: float
    """Threshold of the label rule, fitted on training windows."""
    temperature: float
    threshold: float
    """Confidence below which the candidate abstains, fitted on validation windows."""
    maps: TestedMaps | None
    """Of the first seed of a network; None: another candidate."""
    rank_scores: Float32s | None = None
    """Scores of the test windows by the rank head, (n,); None: it has none."""

    def to_text(self) -> str:
        """Return fold, candidate and validation loss, for a line of progress."""
        if not self.probabilistic:
            return self.task.to_text()
        stated = self.validation_probabilities.astype(np.float64)
        return (
            f"{self.task.to_text()}, validation loss {calibrate.log_loss(stated, self.validation_labels):.4f}"
        )


ProgressCallback = Callable[[int, int, FoldResult], None]
"""Called with the number of finished fits, that of all fits, and the last result."""


def run(
    data: Dataset,
    plan: EvaluationPlan,
    folder: Path,
    processes: int,
    on_progress: ProgressCallback = lambda done, total, result: None,
    on_epoch: EpochReporter = lambda report: None,
) -> list[FoldResult]:
    """Fit and test every candidate on every fold.

    Args:
        data: labeled windows.
        plan: candidates and folds.
        folder: empty folder for data shared between processes.
        processes: fits at once; 1 for no further process.
        on_progress: called after each fit.
        on_epoch: called after each epoch; by a thread of its own, if there are further processes.

    Raises:
        ValueError: too little data.
    """
    for number, fold in enumerate(plan.split(data)):
        fitted_rule(fold, plan.rule, number)  # raises before anything is fitted
    data.save(folder)
    tasks = [
        FoldTask(folder, plan, candidate, fold, seed)
        for fold in range(plan.folds)
        for candidate in plan.candidates
        for seed in range(1 if candidate in RULES else plan.seeds)
    ]
    if processes == 1:
        return _collect((run_task(task, on_epoch) for task in tasks), len(tasks), on_progress)
    context = get_context("spawn")
    with (
        epoch_reports.receiving(context, on_epoch) as queue,
        ProcessPoolExecutor(processes, context, _initialize_process, (queue,)) as pool,
    ):
        return _collect(pool.map(_run_in_worker, tasks), len(tasks), on_progress)


def fitted_rule(fold: Fold, rule: LabelRule, number: int) -> tuple[LabelRule, Floats]:
    """Return the label rule fitted on a fold's training windows, and the prior: their class shares, (3,).

    Args:
        fold: training and validation windows.
        rule: gives kind, horizon and entry.
        number: of the fold, from 0.

    Raises:
        ValueError: there are no training or validation windows, or a class has no training window.
    """
    for name, part in (("training", fold.training), ("validation", fold.validation)):
        if not len(part):
            raise ValueError(
                f"fold {number + 1}: no {name} window of a symbol that is not held out; use more data, fewer folds, or "
                "a longer --rolling if it is set"
            )
    fitted = fold.training.fitted(rule)
    shares = np.bincount(fold.training.labels(fitted), minlength=3) / len(fold.training)
    if not shares.all():
        missing = ", ".join(d.name for d in Direction if not shares[d])
        raise ValueError(f"fold {number + 1}: no training window is {missing}; use more data or fewer folds")
    return fitted, np.asarray(shares)


def _collect(results: Iterable[FoldResult], count: int, on_progress: ProgressCallback) -> list[FoldResult]:
    collected = []
    for result in results:
        collected.append(result)
        on_progress(len(collected), count, result)
    return collected


def _initialize_process(queue: Any) -> None:
    """Initialize a worker that reports epochs to a queue."""
    epoch_reports.connect(queue)
    initialize_process()


def _run_in_worker(task: FoldTask) -> FoldResult:
    return run_task(task, epoch_reports.send)


def run_task(task: FoldTask, on_epoch: EpochReporter = lambda report: None) -> FoldResult:
    """Fit one candidate on one fold, calibrate it, and predict the test windows.

    Raises:
        ValueError: a class has no training window.
    """
    plan = task.plan
    data = Dataset.open(task.folder)
    fold = list(plan.split(data))[task.fold]
    training = fold.training.sampled(plan.windows, task.seed)
    rule, shares = fitted_rule(fold, plan.rule, task.fold)
    labels, (test_labels, returns) = training.labels(rule), fold.test.outcomes(rule)
    validation = fold.validation.sampled(plan.windows, task.seed)
    validation_labels = validation.labels(rule)
    temperature, probabilistic, scorer = 1.0, True, None
    if task.candidate in RULES:
        tested, probabilistic = rule_probabilities(task.candidate, fold.test, shares, rule)
        validated, _ = rule_probabilities(task.candidate, validation, shares, rule)
    else:
        validation_logits, test_logits, scorer = _fit_logits(
            task, (training, labels), (validation, validation_labels), fold.test, on_epoch
        )
        temperature = calibrate.fit_temperature(validation_logits, validation_labels)
        validated = softmax(validation_logits, temperature)
        tested = softmax(test_logits, temperature)
    threshold = calibrate.thresholds(validated, validation_labels).abstain
    maps = None
    if plan.maps and scorer is not None and task.seed == 0 and not task.candidate.startswith(SHUFFLED):
        maps = measure(scorer, fold.test, test_labels, temperature, task.seed)
    rank_scores = None
    if plan.rank_head and task.candidate in BUILDABLE:
        options = _boosting_options(task) if task.candidate in BOOSTED else _fit_options(task)
        rank_scores = fit_scores(task.candidate, fold, rule, options, plan.windows)
    return FoldResult(
        task, tested.astype(np.float32), probabilistic, validated.astype(np.float32), validation_labels,
        test_labels, returns, shares, rule.k, temperature, threshold, maps, rank_scores,
    )  # fmt: skip


def _fit_options(task: FoldTask) -> FitOptions:
    return FitOptions(seed=task.seed, epochs=task.plan.epochs, patience=PATIENCE)


def _boosting_options(task: FoldTask) -> BoostingOptions:
    return BoostingOptions(seed=task.seed)


def _fit_logits(
    task: FoldTask,
    training: tuple[Dataset, Ints],
    validation: tuple[Dataset, Ints],
    test: Dataset,
    on_epoch: EpochReporter,
) -> tuple[Floats, Floats, Scorer | None]:
    """Fit a candidate; return its logits of validation and test windows, (n, 3) each, and its network if it is one."""
    name = task.candidate.removeprefix(SHUFFLED)
    if name != task.candidate:
        random = np.random.default_rng(task.seed)
        training = training[0], random.permutation(training[1])
        validation = validation[0], random.permutation(validation[1])
    if name in CLASSIFIERS:
        baseline = ClassifierBaseline(name, task.seed)
        baseline.fit(*training)
        return baseline.logits(validation[0]), baseline.logits(test), None
    normalization = Normalization.of(training[0])
    examples = DatasetExamples(*training, normalization), DatasetExamples(*validation, normalization)
    network: nn.Module

    def report(epoch: int, training_loss: float, validation_loss: float) -> None:
        on_epoch(EpochReport(task.to_text(), epoch, training_loss, validation_loss))

    if name in BOOSTED:
        network = boost(name, *examples, _boosting_options(task), report)
    else:
        make = partial(build, name, default_config(name, *test.window_shape))
        network = fit(make, *examples, _fit_options(task), report)
    unlabeled = DatasetExamples(test, np.zeros(len(test), dtype=np.int64), normalization)
    scorer = Scorer(network, normalization.mean, normalization.deviation).eval().requires_grad_(False)
    return logits_of(network, examples[1]), logits_of(network, unlabeled), scorer
