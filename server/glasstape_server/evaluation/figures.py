"""Figures of predictions with 95 % intervals: every one is a function of sums over days.

Windows of one day move together, and so do days near each other. So days are resampled in blocks
(`statistics.block_sums`), and each figure is computed anew from every sample. Figures of two candidates are
compared sample by sample.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glasstape_server.domain.statistics import block_sums, equal_mass_bins, interval
from glasstape_server.domain.values import DAY, INTERVALS, Floats, Ints
from glasstape_server.training.calibrate import BINS, log_loss_of_each

BLOCK = 10
"""Days that are drawn together."""
DRAWS = 1000
LEAST_BLOCKS = 10
"""Fewer blocks than these give intervals that are far too narrow."""
_CONFUSION = slice(0, 9)
_LOSS, _PRIOR_LOSS, _BRIER, _BASE_HITS = 9, 10, 11, 12
_COUNTS, _SAID, _CAME = (slice(13 + BINS * n, 13 + BINS * (n + 1)) for n in range(3))
_WIDTH = 13 + 3 * BINS


@dataclass(frozen=True, slots=True)
class Predicted:
    """What one candidate said of test windows."""

    stated: Floats
    """(n, 3) calibrated probabilities; a candidate that gives none says 1 for its winner."""
    labels: Ints
    """(n,) what came."""
    close_time: Ints
    """(n,)"""
    shares: Floats
    """(n, 3) class shares of what the candidate of this window had learnt from."""
    probabilistic: bool = True

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def winner(self) -> Ints:
        """(n,) class with the highest probability."""
        return np.asarray(self.stated.argmax(axis=1))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} … {self.high:.4f})"


class TooFewDays(ValueError):
    """No interval can be given."""


class Figures:
    """All figures of one candidate on one set of windows."""

    def __init__(self, predicted: Predicted, block: int = BLOCK) -> None:
        """Sum up.

        Args:
            predicted: what was said and what came.
            block: days that are drawn together, at least as many as a label looks ahead.

        Raises:
            TooFewDays: for an interval.
        """
        self._days, self.day = np.unique((predicted.close_time - 1) // DAY, return_inverse=True)
        if len(self._days) < LEAST_BLOCKS * block:
            raise TooFewDays(
                f"days: must be {LEAST_BLOCKS * block} or more for intervals, are {len(self._days)}"
            )
        self.windows = len(predicted)
        self.probabilistic = predicted.probabilistic
        sums = _sums(predicted, self.day, len(self._days))
        self._total = sums.sum(axis=0, keepdims=True)
        self._drawn = block_sums(sums, block, DRAWS, seed=0)

    @property
    def days(self) -> int:
        """Days that were tested."""
        return len(self._days)

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Every figure by its name."""
        wanted = FIGURES if self.probabilistic else {n: f for n, f in FIGURES.items() if n in OF_WINNERS}
        return {name: self._estimate(figure) for name, figure in wanted.items()}

    def beyond(self, other: "Figures", name: str) -> Estimate:
        """How much a figure is above another candidate's on the same windows."""
        figure = FIGURES[name]
        values = figure(self._drawn) - figure(other._drawn)
        return Estimate(float((figure(self._total) - figure(other._total))[0]), *interval(values))

    def _estimate(self, figure: Callable[[Floats], Floats]) -> Estimate:
        return Estimate(float(figure(self._total)[0]), *interval(figure(self._drawn)))


def block_days(horizon_bars: int, interval: str) -> int:
    """Days to draw together: ten, or as many as labels of neighbouring windows overlap."""
    return max(BLOCK, math.ceil(horizon_bars * INTERVALS[interval] / DAY * 7 / 5))


def _sums(predicted: Predicted, day: Ints, days: int) -> Floats:
    stated, labels, winner = predicted.stated, predicted.labels, predicted.winner
    confidence, correct = stated.max(axis=1), winner == labels
    sums = np.zeros((days, _WIDTH))
    cells = np.bincount(day * 9 + labels * 3 + winner, minlength=days * 9)
    sums[:, _CONFUSION] = cells.reshape(days, 9)
    rows = np.arange(len(labels))
    columns = {
        _LOSS: log_loss_of_each(stated, labels),
        _PRIOR_LOSS: log_loss_of_each(predicted.shares, labels),
        _BRIER: ((stated - np.eye(3)[labels]) ** 2).sum(axis=1),
        _BASE_HITS: (predicted.shares.argmax(axis=1) == labels).astype(np.float64),
    }
    for column, values in columns.items():
        sums[:, column] = np.bincount(day, values, days)
    cell = day * BINS + equal_mass_bins(confidence, BINS)
    for part, weights in ((_COUNTS, np.ones(len(rows))), (_SAID, confidence), (_CAME, correct)):
        sums[:, part] = np.bincount(cell, weights, days * BINS).reshape(days, BINS)
    return sums


def _confusion(sums: Floats) -> Floats:
    return np.asarray(sums[:, _CONFUSION].reshape(-1, 3, 3))


def _count(sums: Floats) -> Floats:
    return np.asarray(sums[:, _CONFUSION].sum(axis=1))


def accuracy(sums: Floats) -> Floats:
    """Share of windows whose winner came true."""
    return np.asarray(np.trace(_confusion(sums), axis1=1, axis2=2) / _count(sums))


def base_rate(sums: Floats) -> Floats:
    """Accuracy of always saying the class that was most frequent in training."""
    return np.asarray(sums[:, _BASE_HITS] / _count(sums))


def accuracy_gained(sums: Floats) -> Floats:
    """Accuracy beyond the base rate."""
    return accuracy(sums) - base_rate(sums)


def macro_f1(sums: Floats) -> Floats:
    """F1 of each class, averaged without weights; 0 for a class that neither came nor was said."""
    cells = _confusion(sums)
    hits = np.diagonal(cells, axis1=1, axis2=2)
    both = cells.sum(axis=1) + cells.sum(axis=2)
    return np.asarray((2 * hits / np.maximum(both, 1)).mean(axis=1))


def mcc(sums: Floats) -> Floats:
    """Matthews correlation of three classes (Gorodkin 2004, R_K); 0 where one class is always said."""
    cells = _confusion(sums)
    total, hits = cells.sum(axis=(1, 2)), np.trace(cells, axis1=1, axis2=2)
    came, said = cells.sum(axis=2), cells.sum(axis=1)
    shared = hits * total - (came * said).sum(axis=1)
    spread = np.sqrt((total**2 - (said**2).sum(axis=1)) * (total**2 - (came**2).sum(axis=1)))
    return np.asarray(np.where(spread > 0, shared / np.maximum(spread, 1e-300), 0.0))


def log_loss(sums: Floats) -> Floats:
    """Mean negative log probability of what came, in nats."""
    return np.asarray(sums[:, _LOSS] / _count(sums))


def log_loss_gained(sums: Floats) -> Floats:
    """Log loss of the class shares in training minus the candidate's: above 0 is better than the prior."""
    return np.asarray((sums[:, _PRIOR_LOSS] - sums[:, _LOSS]) / _count(sums))


def brier(sums: Floats) -> Floats:
    """Mean squared distance of the probabilities from what came, 0-2 (Brier 1950)."""
    return np.asarray(sums[:, _BRIER] / _count(sums))


def calibration_error(sums: Floats) -> Floats:
    """Top-label ECE in 15 bins of equal mass."""
    return np.asarray(np.abs(sums[:, _SAID] - sums[:, _CAME]).sum(axis=1) / sums[:, _COUNTS].sum(axis=1))


FIGURES: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": accuracy,
    "base_rate": base_rate,
    "accuracy_gained": accuracy_gained,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "log_loss": log_loss,
    "log_loss_gained": log_loss_gained,
    "brier": brier,
    "ece": calibration_error,
}
OF_WINNERS = ("accuracy", "base_rate", "accuracy_gained", "macro_f1", "mcc")
"""Figures that ask for no probabilities."""
