"""Metrics of predictions with 95 % confidence intervals.

Windows of one day, and of neighboring days, are clustered (non-independent). Days are therefore resampled in blocks
(`statistics.block_sums`), and each metric, a function of sums over days, is recomputed from every sample. Metrics of
two candidates are compared sample by sample.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, equal_mass_bins, interval
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.training.calibrate import BINS, log_loss_of_each

BLOCK = 10
"""Days per bootstrap block."""
DRAWS = 1000
"""Bootstrap samples."""
MIN_BLOCKS = 10
"""Number of blocks below which intervals are much too narrow."""
_CONFUSION = slice(0, 9)
_LOSS, _PRIOR_LOSS, _BRIER, _BASE_HITS = 9, 10, 11, 12
_COUNTS, _CONFIDENCE, _CORRECT = (slice(13 + BINS * n, 13 + BINS * (n + 1)) for n in range(3))
_WIDTH = 13 + 3 * BINS


@dataclass(frozen=True, slots=True)
class LabeledPredictions:
    """Predictions of one candidate for test windows, with the realized classes."""

    probabilities: Floats
    """Calibrated probabilities, (n, 3); one-hot for a candidate that predicts classes only."""
    labels: Ints
    """Realized class indices, (n,)."""
    close_time: Ints
    """Close of each window's last bar, microseconds, (n,)."""
    shares: Floats
    """Class shares of the training windows of each window's candidate, (n, 3)."""
    probabilistic: bool = True
    """Whether the candidate predicts probabilities, not only classes."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def winner(self) -> Ints:
        """Class with the highest probability, (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1))


class TooFewDaysError(ValueError):
    """There are too few days for confidence intervals."""


class MetricEstimates:
    """All metrics of one candidate on one set of windows."""

    def __init__(self, predicted: LabeledPredictions, block: int = BLOCK) -> None:
        """Sum up by day and draw bootstrap samples.

        Args:
            predicted: predictions and realized classes.
            block: days per bootstrap block, at least as many as a label looks ahead.

        Raises:
            TooFewDaysError: fewer than `MIN_BLOCKS` blocks.
        """
        self._days, self.day = np.unique((predicted.close_time - 1) // DAY, return_inverse=True)
        if len(self._days) < MIN_BLOCKS * block:
            raise TooFewDaysError(
                f"days: at least {MIN_BLOCKS * block} are required for intervals, there are {len(self._days)}"
            )
        self.windows = len(predicted)
        self.probabilistic = predicted.probabilistic
        sums = _sums(predicted, self.day, len(self._days))
        self._total = sums.sum(axis=0, keepdims=True)
        self._drawn = block_sums(sums, block, DRAWS, seed=0)

    @property
    def days(self) -> int:
        """Number of days."""
        return len(self._days)

    @cached_property
    def estimates(self) -> dict[str, IntervalEstimate]:
        """Every metric by name."""
        metrics = METRICS if self.probabilistic else {n: METRICS[n] for n in CLASS_METRICS}
        return {name: self._estimate(metric) for name, metric in metrics.items()}

    def difference(self, other: "MetricEstimates", name: str) -> IntervalEstimate:
        """Return a metric minus that of another candidate on the same windows."""
        metric = METRICS[name]
        values = metric(self._drawn) - metric(other._drawn)
        return IntervalEstimate(float((metric(self._total) - metric(other._total))[0]), *interval(values))

    def _estimate(self, metric: Callable[[Floats], Floats]) -> IntervalEstimate:
        return IntervalEstimate(float(metric(self._total)[0]), *interval(metric(self._drawn)))


def block_days(horizon_bars: int, interval: str) -> int:
    """Return the days per bootstrap block: ten, or as many as labels of neighboring windows overlap."""
    return max(BLOCK, math.ceil(horizon_bars * INTERVALS[interval] / DAY * 7 / 5))


def _sums(predicted: LabeledPredictions, day: Ints, days: int) -> Floats:
    """Return the sums over each day that all metrics are functions of, (day, column)."""
    probabilities, labels, winner = predicted.probabilities, predicted.labels, predicted.winner
    confidence, correct = probabilities.max(axis=1), winner == labels
    sums = np.zeros((days, _WIDTH))
    cells = np.bincount(day * 9 + labels * 3 + winner, minlength=days * 9)
    sums[:, _CONFUSION] = cells.reshape(days, 9)
    rows = np.arange(len(labels))
    columns = {
        _LOSS: log_loss_of_each(probabilities, labels),
        _PRIOR_LOSS: log_loss_of_each(predicted.shares, labels),
        _BRIER: ((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1),
        _BASE_HITS: (predicted.shares.argmax(axis=1) == labels).astype(np.float64),
    }
    for column, values in columns.items():
        sums[:, column] = np.bincount(day, values, days)
    cell = day * BINS + equal_mass_bins(confidence, BINS)
    for part, weights in ((_COUNTS, np.ones(len(rows))), (_CONFIDENCE, confidence), (_CORRECT, correct)):
        sums[:, part] = np.bincount(cell, weights, days * BINS).reshape(days, BINS)
    return sums


def _confusion(sums: Floats) -> Floats:
    """Return confusion matrices, (sample, realized, predicted)."""
    return np.asarray(sums[:, _CONFUSION].reshape(-1, 3, 3))


def _count(sums: Floats) -> Floats:
    return np.asarray(sums[:, _CONFUSION].sum(axis=1))


def accuracy(sums: Floats) -> Floats:
    """Return the share of correct predictions, (sample,), of sums (sample, column)."""
    return np.asarray(np.trace(_confusion(sums), axis1=1, axis2=2) / _count(sums))


def base_rate(sums: Floats) -> Floats:
    """Return the accuracy of the most frequent training class, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, _BASE_HITS] / _count(sums))


def accuracy_gain(sums: Floats) -> Floats:
    """Return accuracy minus base rate, (sample,), of sums (sample, column)."""
    return accuracy(sums) - base_rate(sums)


def macro_f1(sums: Floats) -> Floats:
    """Return the unweighted mean F1 of the classes, (sample,), of sums (sample, column).

    The F1 of a class that is neither predicted nor realized is 0.
    """
    cells = _confusion(sums)
    hits = np.diagonal(cells, axis1=1, axis2=2)
    both = cells.sum(axis=1) + cells.sum(axis=2)
    return np.asarray((2 * hits / np.maximum(both, 1)).mean(axis=1))


def mcc(sums: Floats) -> Floats:
    """Return the Matthews correlation of three classes (Gorodkin 2004, R_K), (sample,), of sums (sample, column).

    It is 0 for constant predictions.
    """
    cells = _confusion(sums)
    total, hits = cells.sum(axis=(1, 2)), np.trace(cells, axis1=1, axis2=2)
    realized, predicted = cells.sum(axis=2), cells.sum(axis=1)
    shared = hits * total - (realized * predicted).sum(axis=1)
    spread = np.sqrt((total**2 - (predicted**2).sum(axis=1)) * (total**2 - (realized**2).sum(axis=1)))
    return np.asarray(np.where(spread > 0, shared / np.maximum(spread, 1e-300), 0.0))


def log_loss(sums: Floats) -> Floats:
    """Return the mean negative log probability of the realized class, nats, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, _LOSS] / _count(sums))


def log_loss_gain(sums: Floats) -> Floats:
    """Return the log loss of the training class shares minus that of the candidate, nats, (sample,).

    Args:
        sums: of each sample, (sample, column).
    """
    return np.asarray((sums[:, _PRIOR_LOSS] - sums[:, _LOSS]) / _count(sums))


def brier(sums: Floats) -> Floats:
    """Return the mean squared error of probabilities, 0-2 (Brier 1950), (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, _BRIER] / _count(sums))


def calibration_error(sums: Floats) -> Floats:
    """Return the top-label ECE in 15 equal-count bins, 0-1, (sample,), of sums (sample, column)."""
    return np.asarray(
        np.abs(sums[:, _CONFIDENCE] - sums[:, _CORRECT]).sum(axis=1) / sums[:, _COUNTS].sum(axis=1)
    )


METRICS: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": accuracy,
    "base_rate": base_rate,
    "accuracy_gain": accuracy_gain,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "log_loss": log_loss,
    "log_loss_gain": log_loss_gain,
    "brier": brier,
    "ece": calibration_error,
}
CLASS_METRICS = ("accuracy", "base_rate", "accuracy_gain", "macro_f1", "mcc")
"""Metrics that do not need probabilities."""
