"""Candidates on folds: each learns, is calibrated on validation alone, and speaks about the test."""

import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.values import Direction, Float32s, Floats, Ints
from glasstape_server.evaluation.baselines import LEARNED, RULES, LearnedBaseline, stated_by_rule
from glasstape_server.evaluation.walk_forward import folds
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.networks.architectures import ARCHITECTURES, build, default_config
from glasstape_server.training import calibrate
from glasstape_server.training.batches import Batches, Normalisation
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.fit import FitOptions, fit, logits_of

SHUFFLED = "shuffled:"
"""Prefix of a candidate that learns from labels in random order: an alarm, no candidate."""
PATIENCE = 3


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to walk forward."""

    candidates: tuple[str, ...]
    """Networks and baselines; `shuffled:NETWORK` learns from labels in random order."""
    folds: int = 5
    seeds: int = 1
    epochs: int = 10
    windows: int = 200_000
    """Training windows of one fit, drawn at random out of the fold's; validation has as many at most."""
    rule: LabelRule = field(default_factory=LabelRule)

    def __post_init__(self) -> None:
        known = {*ARCHITECTURES, *RULES, *LEARNED}
        unknown = [name for name in self.candidates if name.removeprefix(SHUFFLED) not in known]
        if unknown:
            raise ValueError(f"candidates: must be of {', '.join(sorted(known))}, has {', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class Job:
    """One candidate on one fold."""

    folder: Path
    plan: Plan
    candidate: str
    fold: int
    seed: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What one candidate said on one fold."""

    job: Job
    stated: Float32s
    """(n, 3) calibrated probabilities of the test windows."""
    probabilistic: bool
    validation: Float32s
    """(m, 3) the same of the validation windows."""
    validation_labels: Ints
    """(m,)"""
    labels: Ints
    """(n,) of the test windows."""
    returns: Floats
    """(n,) log returns that decided them."""
    shares: Floats
    """(3,) class shares in training."""
    k: float
    """Threshold of the label rule, fitted on training."""
    temperature: float
    threshold: float
    """Confidence below which the candidate abstains, from validation."""


Progress = Callable[[int, int], None]
"""Told how many fits are done, of how many."""


def run(
    everything: Dataset,
    plan: Plan,
    folder: Path,
    processes: int,
    progress: Progress = lambda done, of: None,
) -> list[Answer]:
    """Let every candidate learn and speak on every fold.

    Args:
        everything: labelled windows.
        plan: what to do.
        folder: an empty one, for what the processes share.
        processes: fits at once; 1: in this process.
        progress: told after each fit.

    Raises:
        ValueError: too little data.
    """
    list(folds(everything, plan.folds, plan.rule.bars_ahead))  # refuses before anything is written
    everything.save(folder)
    jobs = [
        Job(folder, plan, candidate, fold, seed)
        for fold in range(plan.folds)
        for candidate in plan.candidates
        for seed in range(1 if candidate in RULES else plan.seeds)
    ]
    if processes == 1:
        return _told(map(answer, jobs), len(jobs), progress)
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_alone) as pool:
        return _told(pool.map(answer, jobs), len(jobs), progress)


def _told(answers: Iterable[Answer], count: int, progress: Progress) -> list[Answer]:
    done = []
    for found in answers:
        done.append(found)
        progress(len(done), count)
    return done


def _alone() -> None:
    """Each process uses one core: linear algebra would take all of them in every process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted, too, and says so
    threadpool_limits(1)
    torch.set_num_threads(1)


def answer(job: Job) -> Answer:
    """Learn, calibrate, speak."""
    plan = job.plan
    everything = Dataset.open(job.folder)
    fold = list(folds(everything, plan.folds, plan.rule.bars_ahead))[job.fold]
    training = fold.training.sampled(plan.windows, job.seed)
    rule = fold.training.fitted(plan.rule)
    labels, (test_labels, returns) = training.labels(rule), fold.test.outcomes(rule)
    validation = fold.validation.sampled(plan.windows, job.seed)
    validation_labels = validation.labels(rule)
    shares = np.bincount(labels, minlength=3) / len(labels)
    if not shares.all():
        missing = ", ".join(d.name for d in Direction if not shares[d])
        raise ValueError(
            f"fold {job.fold + 1}: no training window is {missing}; use more data or fewer folds"
        )
    temperature, probabilistic = 1.0, True
    if job.candidate in RULES:
        said, probabilistic = stated_by_rule(job.candidate, fold.test, shares, rule)
        validated, _ = stated_by_rule(job.candidate, validation, shares, rule)
    else:
        validation_logits, logits = _learnt(
            job, (training, labels), (validation, validation_labels), fold.test
        )
        temperature = calibrate.fit_temperature(validation_logits, validation_labels)
        validated, said = (softmax(part, temperature) for part in (validation_logits, logits))
    threshold = calibrate.thresholds(validated, validation_labels).abstain
    return Answer(
        job, said.astype(np.float32), probabilistic, validated.astype(np.float32), validation_labels,
        test_labels, returns, shares, rule.k, temperature, threshold,
    )  # fmt: skip


def _learnt(
    job: Job, training: tuple[Dataset, Ints], validation: tuple[Dataset, Ints], test: Dataset
) -> tuple[Floats, Floats]:
    """Logits of validation and test."""
    name = job.candidate.removeprefix(SHUFFLED)
    if name != job.candidate:
        random = np.random.default_rng(job.seed)
        training = training[0], random.permutation(training[1])
        validation = validation[0], random.permutation(validation[1])
    if name in LEARNED:
        baseline = LearnedBaseline(name, job.seed)
        baseline.learn(*training)
        return baseline.logits(validation[0]), baseline.logits(test)
    normalisation = Normalisation.of(training[0])
    examples = Batches(*training, normalisation), Batches(*validation, normalisation)
    make = partial(build, name, default_config(name, *test.window_shape))
    options = FitOptions(seed=job.seed, epochs=job.plan.epochs, patience=PATIENCE)
    network = fit(make, *examples, options)
    unlabelled = Batches(test, np.zeros(len(test), dtype=np.int64), normalisation)
    return logits_of(network, examples[1]), logits_of(network, unlabelled)
