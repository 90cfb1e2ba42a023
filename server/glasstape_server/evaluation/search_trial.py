"""One trial of a search: fit its choice on every fold, and sum up its test windows by day."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.skill import saved_parts
from glasstape_server.domain.statistics import softmax
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.candidates import fitted_rule
from glasstape_server.evaluation.search_space import Choice
from glasstape_server.evaluation.walk_forward import Fold, folds
from glasstape_server.features.labels import LabelRule
from glasstape_server.models.networks.architectures import build, default_config
from glasstape_server.training import calibrate
from glasstape_server.training.boosting import boost
from glasstape_server.training.dataset import Dataset
from glasstape_server.training.examples import DatasetExamples, Normalization
from glasstape_server.training.fit import fit, logits_of

WINDOWS, FLAT_GAIN, DIRECTION_GAIN, HITS, MOVED = range(5)
"""Columns of the sums over a day: windows, both parts of the log loss saved, and of UP and DOWN calls those that were
right and those that moved."""
COLUMNS = 5


@dataclass(frozen=True, kw_only=True)
class WalkForward:
    """Folds of a search. No symbol is held out: the model that is refitted holds out none."""

    rule: LabelRule
    """Label rule, fitted on each fold's training windows."""
    folds: int = 3
    rolling: int = 0
    """Time from which each fold takes training windows, microseconds; 0: all earlier windows."""
    windows: int = 200_000
    """Largest number of training windows per fit, likewise of validation windows."""

    def split(self, data: Dataset) -> list[Fold]:
        """Split labeled windows into the folds.

        Raises:
            ValueError: too few closes.
        """
        ahead = self.rule.bars_ahead
        return list(folds(data, self.folds, ahead, rolling=self.rolling, hold_out=False))

    def check(self, data: Dataset) -> None:
        """Check that every fold can be fitted.

        Raises:
            ValueError: too few closes or windows, or a class has no training window.
        """
        for number, fold in enumerate(self.split(data)):
            fitted_rule(fold, self.rule, number)


@dataclass(frozen=True, slots=True)
class FitTask:
    """One choice on one fold with one seed."""

    folder: Path
    """Of the saved data set."""
    plan: WalkForward
    choice: Choice
    fold: int
    seed: int


def tested_days(data: Dataset, plan: WalkForward) -> Ints:
    """Return the days of the test windows of all folds, (day,), ascending."""
    closes = np.concatenate([fold.test.close_time for fold in plan.split(data)])
    return np.unique((closes - 1) // DAY)


def run_fit(task: FitTask) -> tuple[Ints, Floats]:
    """Fit, calibrate and test; return the days of the test windows, (day,), and their sums, (day, column).

    Raises:
        ValueError: a class has no training window.
        FloatingPointError: the loss is not finite.
    """
    plan = task.plan
    fold = plan.split(Dataset.open(task.folder))[task.fold]
    rule, shares = fitted_rule(fold, plan.rule, task.fold)
    training = fold.training.sampled(plan.windows, task.seed)
    validation = fold.validation.sampled(plan.windows, task.seed)
    normalization = Normalization.of(training)
    examples, checked, tested = (
        DatasetExamples(part, part.labels(rule), normalization) for part in (training, validation, fold.test)
    )
    network = _fit(task, (examples, checked), fold.test.window_shape)
    temperature = calibrate.fit_temperature(logits_of(network, checked), validation.labels(rule))
    probabilities = softmax(logits_of(network, tested), temperature)
    return _daily_sums(probabilities, fold.test.labels(rule), shares, fold.test.close_time)


def _fit(task: FitTask, data: tuple[DatasetExamples, DatasetExamples], shape: tuple[int, int]) -> nn.Module:
    choice = task.choice
    if choice.boosted:
        return boost(choice.architecture, *data, replace(choice.boosting, seed=task.seed))
    make = partial(build, choice.architecture, default_config(choice.architecture, *shape))
    return fit(make, *data, replace(choice.fit, seed=task.seed))


def _daily_sums(probabilities: Floats, labels: Ints, shares: Floats, close_time: Ints) -> tuple[Ints, Floats]:
    """Return the days of predictions, (day,), and their sums, (day, column)."""
    days, day = np.unique((close_time - 1) // DAY, return_inverse=True)
    winner, gains = probabilities.argmax(axis=1), saved_parts(probabilities, labels, shares)
    called = winner != Direction.FLAT
    columns = {
        WINDOWS: np.ones(len(labels)),
        FLAT_GAIN: gains[:, 0],
        DIRECTION_GAIN: gains[:, 1],
        HITS: called & (winner == labels),
        MOVED: called & (labels != Direction.FLAT),
    }
    sums = np.zeros((len(days), COLUMNS))
    for column, values in columns.items():
        sums[:, column] = np.bincount(day, values.astype(np.float64), len(days))
    return days, sums
