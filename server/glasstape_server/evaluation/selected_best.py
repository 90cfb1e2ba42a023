"""Intervals of the best of several trials, which hold although it was selected.

The best of many trials looks better than it is: the more trials, the more. Bailey and Lopez de Prado (2014), "The
deflated Sharpe ratio", correct for the number of trials under independence. Trials of one search are alike, so the
correction is estimated instead: White (2000), "A reality check for data snooping", takes the distribution of the
largest error over all trials from bootstrap samples that all of them share; Romano and Wolf (2005), "Stepwise multiple
testing as formalized data snooping", section 4, divide each trial's error by its standard error. An interval of that
width holds for every trial at once, and so for the one that was selected.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, interval
from glasstape_server.evaluation.metrics import DRAWS
from glasstape_server.evaluation.search_trial import DIRECTION_GAIN, FLAT_GAIN, HITS, MOVED, WINDOWS

Metric = Callable[[Floats], Floats]


def _saved(sums: Floats) -> Floats:
    return np.asarray((sums[..., FLAT_GAIN] + sums[..., DIRECTION_GAIN]) / sums[..., WINDOWS])


def _moved_hit_rate(sums: Floats) -> Floats:
    moved = sums[..., MOVED]
    return np.asarray(np.where(moved > 0, sums[..., HITS] / np.maximum(moved, 1e-9), np.nan))


METRICS: dict[str, Metric] = {
    "log_loss_gain": _saved,
    "flat_gain": lambda sums: np.asarray(sums[..., FLAT_GAIN] / sums[..., WINDOWS]),
    "direction_gain": lambda sums: np.asarray(sums[..., DIRECTION_GAIN] / sums[..., WINDOWS]),
    "moved_hit_rate": _moved_hit_rate,
}
"""Figures of sums (..., column), (...,)."""


@dataclass(frozen=True, slots=True)
class SelectedEstimate:
    """A figure of the selected trial."""

    value: float
    alone: IntervalEstimate
    """With the interval of a trial that was not selected."""
    selected: IntervalEstimate
    """With the interval that allows for the selection."""


def estimates(sums: Floats, best: int, block: int) -> dict[str, SelectedEstimate]:
    """Return the figures of the best trial with 95 % intervals.

    Args:
        sums: of each trial and day, (trial, day, column).
        best: number of the trial that was selected.
        block: days per bootstrap block.
    """
    drawn = _draw(sums, block)
    total, blocks = sums.sum(axis=1), sums.shape[1] // block
    return {
        name: _estimate(metric(total), metric(drawn), best, blocks)
        for name, metric in METRICS.items()
        if np.isfinite(metric(total)[best])
    }


def gain_over(sums: Floats, first: int, best: int, block: int) -> SelectedEstimate:
    """Return the log loss that the best trial saves against another one, nats, with 95 % intervals.

    Args:
        sums: of each trial and day, (trial, day, column).
        first: number of the trial to compare with.
        best: number of the trial that was selected.
        block: days per bootstrap block.
    """
    total, drawn = _saved(sums.sum(axis=1)), _saved(_draw(sums, block))
    return _estimate(total - total[first], drawn - drawn[:, first : first + 1], best, sums.shape[1] // block)


def _draw(sums: Floats, block: int) -> Floats:
    """Return bootstrap samples that all trials share, (draw, trial, column)."""
    trials, days, columns = sums.shape
    by_day = sums.transpose(1, 0, 2).reshape(days, trials * columns)
    return block_sums(by_day, block, DRAWS, seed=0).reshape(DRAWS, trials, columns)


def _estimate(values: Floats, drawn: Floats, best: int, blocks: int) -> SelectedEstimate:
    """Return the estimate of one trial.

    Args:
        values: of each trial, (trial,).
        drawn: of each sample and trial, (draw, trial).
        best: number of the selected trial.
        blocks: blocks that a sample consists of.
    """
    value = float(values[best])
    alone = IntervalEstimate(value, *interval(drawn[:, best], blocks=blocks))
    errors = drawn - values
    errors = np.where(np.isfinite(errors), errors, 0.0)  # of a trial without the figure, none
    spread = errors.std(axis=0)
    scaled = errors / np.where(spread > 0, spread, 1.0)
    above = interval(scaled.max(axis=1), blocks=blocks)[1] * spread[best]
    below = interval(-scaled.min(axis=1), blocks=blocks)[1] * spread[best]
    low, high = min(alone.low, value - above), max(alone.high, value + below)
    return SelectedEstimate(value, alone, IntervalEstimate(value, float(low), float(high)))
