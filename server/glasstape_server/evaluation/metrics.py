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
from glasstape_server.domain.skill import saved_parts
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, equal_mass_bins, interval
from glasstape_server.domain.times import DAY, INTERVALS
from glasstape_server.evaluation.metric_functions import (
    BASE_HITS,
    BRIER,
    CALL_METRICS,
    CLASS_METRICS,
    CONFIDENCE,
    CONFUSION,
    CORRECT,
    COUNTS,
    DIRECTION_GAIN,
    FLAT_GAIN,
    LOSS,
    METRICS,
    WIDTH,
    calls,
    moved,
)  # fmt: skip
from glasstape_server.training.calibrate import BINS, log_loss_of_each

BLOCK = 10
"""Days per bootstrap block."""
DRAWS = 1000
"""Bootstrap samples."""
MIN_BLOCKS = 10
"""Number of blocks below which intervals are much too narrow."""


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
    """Prior of each window: class shares of all training windows of its fold, (n, 3)."""
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

    def __init__(self, required: int, days: int) -> None:
        """State how many days are required, and how many there are."""
        super().__init__(
            f"days: at least {required} are required for intervals, there are {days}; "
            "use more data, or a shorter --horizon"
        )


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
            raise TooFewDaysError(MIN_BLOCKS * block, len(self._days))
        self._blocks = len(self._days) // block
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
        names = list(METRICS) if self.probabilistic else list(CLASS_METRICS)
        if not calls(self._total)[0]:
            names = [name for name in names if name not in CALL_METRICS]
        elif not moved(self._total)[0]:
            names.remove("moved_hit_rate")
        return {name: self._estimate(METRICS[name]) for name in names}

    def difference(self, other: "MetricEstimates", name: str) -> IntervalEstimate:
        """Return a metric minus that of another candidate on the same windows."""
        metric = METRICS[name]
        values = metric(self._drawn) - metric(other._drawn)
        return IntervalEstimate(
            float((metric(self._total) - metric(other._total))[0]), *interval(values, blocks=self._blocks)
        )

    def _estimate(self, metric: Callable[[Floats], Floats]) -> IntervalEstimate:
        values = interval(metric(self._drawn), blocks=self._blocks)
        return IntervalEstimate(float(metric(self._total)[0]), *values)


def block_days(horizon_bars: int, interval: str, days: int | None = None) -> int:
    """Return the days per bootstrap block: ten, fewer where days are few, and as many as labels overlap.

    Args:
        horizon_bars: bars that a label looks ahead.
        interval: of the bars.
        days: that are tested; None for many.

    Raises:
        TooFewDaysError: they are fewer than `MIN_BLOCKS` of the smallest blocks.
    """
    overlap = math.ceil(horizon_bars * INTERVALS[interval] / DAY * 7 / 5)
    if days is None:
        return max(BLOCK, overlap)
    if days < MIN_BLOCKS * overlap:
        raise TooFewDaysError(MIN_BLOCKS * overlap, days)
    return max(overlap, min(BLOCK, days // MIN_BLOCKS))


def _sums(predicted: LabeledPredictions, day: Ints, days: int) -> Floats:
    """Return the sums over each day that all metrics are functions of, (day, column)."""
    probabilities, labels, winner = predicted.probabilities, predicted.labels, predicted.winner
    confidence, correct = probabilities.max(axis=1), winner == labels
    sums = np.zeros((days, WIDTH))
    cells = np.bincount(day * 9 + labels * 3 + winner, minlength=days * 9)
    sums[:, CONFUSION] = cells.reshape(days, 9)
    gains = saved_parts(probabilities, labels, predicted.shares)
    columns = {
        LOSS: log_loss_of_each(probabilities, labels),
        FLAT_GAIN: gains[:, 0],
        DIRECTION_GAIN: gains[:, 1],
        BRIER: ((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1),
        BASE_HITS: (predicted.shares.argmax(axis=1) == labels).astype(np.float64),
    }
    for column, values in columns.items():
        sums[:, column] = np.bincount(day, values, days)
    cell = day * BINS + equal_mass_bins(confidence, BINS)
    for part, weights in ((COUNTS, np.ones(len(labels))), (CONFIDENCE, confidence), (CORRECT, correct)):
        sums[:, part] = np.bincount(cell, weights, days * BINS).reshape(days, BINS)
    return sums
