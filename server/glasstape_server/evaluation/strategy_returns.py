"""Returns of following every signal, before and after costs.

Capital is split equally over all symbols. Unless a candidate abstains, UP is held long and DOWN short for the horizon
or until a barrier; all else is cash. Over a horizon of h bars each signal takes 1/h of the symbol's capital. Every
change of position costs. Slippage, borrowing fees and size limits are ignored, so that real returns are lower.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, interval
from glasstape_server.domain.times import DAY
from glasstape_server.evaluation.metrics import BLOCK, DRAWS
from glasstape_server.features.labels import LabelRule

_GROSS, _TURNOVER, _CLOSES = range(3)


@dataclass(frozen=True, slots=True)
class StrategyReturns:
    """Mean log returns per bar, on the capital."""

    gross: IntervalEstimate
    turnover: IntervalEstimate
    """Share of the capital that is traded per bar."""
    net: IntervalEstimate
    break_even: float
    """Cost at which the net return is 0; 0 if the gross return is not positive."""


def strategy_returns(
    positions: Floats,
    returns: Floats,
    close_time: Ints,
    series: Ints,
    rule: LabelRule,
    cost: float,
    block: int = BLOCK,
) -> StrategyReturns:
    """Compute mean returns per bar with confidence intervals.

    Args:
        positions: -1, 0 or 1 for each window, (n,).
        returns: log return that determined the outcome, (n,).
        close_time: close of each window's last bar, microseconds, (n,).
        series: number of each window's symbol, (n,); positions are not carried over from one to another.
        rule: label rule, which gives the holding period.
        cost: of a change of position, as a share of the price.
        block: days per bootstrap block.
    """
    order = np.lexsort((close_time, series))
    held = positions[order] / rule.horizon_bars
    traded = _traded(held, series[order], rule)
    times, close = np.unique(close_time[order], return_inverse=True)
    counts = np.bincount(close)
    by_close = np.stack(
        [
            np.bincount(close, held * returns[order]) / counts,
            np.bincount(close, traded) / counts,
            np.ones(len(times)),
        ],
        axis=1,
    )
    _, day = np.unique((times - 1) // DAY, return_inverse=True)
    sums = np.stack([np.bincount(day, column) for column in by_close.T], axis=1).astype(np.float64)
    drawn, total = block_sums(sums, block, DRAWS, seed=0), sums.sum(axis=0)

    def estimate(row: Floats) -> IntervalEstimate:
        values = drawn @ row / drawn[:, _CLOSES]
        return IntervalEstimate(float(total @ row / total[_CLOSES]), *interval(values))

    gross, turnover = float(total[_GROSS]), float(total[_TURNOVER])
    return StrategyReturns(
        estimate(np.array([1.0, 0, 0])),
        estimate(np.array([0, 1.0, 0])),
        estimate(np.array([1.0, -cost, 0])),
        max(0.0, gross / turnover) if turnover else 0.0,
    )


def _traded(held: Floats, series: Ints, rule: LabelRule) -> Floats:
    """Return the share of a symbol's capital that is traded at each window, (n,), ordered by series and time.

    A signal's position ends a horizon later, when the next one may begin, so that only the difference is traded. A
    barrier may end it earlier, so that each position is bought and sold separately.
    """
    if rule.kind == "triple_barrier":
        return 2 * np.abs(held)
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    traded = np.empty_like(held)
    for first, end in itertools.pairwise([*starts, len(held)]):
        own = held[first:end]
        horizon = min(rule.horizon_bars, len(own))
        ended = np.r_[np.zeros(horizon), own[: len(own) - horizon]]
        traded[first:end] = np.abs(own - ended)
        traded[end - 1] += np.abs(own[len(own) - horizon :]).sum()  # close the remaining positions
    return traded


def positions(probabilities: Floats, thresholds: Floats) -> Floats:
    """Return the position for each window, (n,): 1 for UP, -1 for DOWN, 0 for FLAT or below its threshold.

    Args:
        probabilities: (n, 3).
        thresholds: confidence below which the candidate abstains, (n,).
    """
    winner = probabilities.argmax(axis=1)
    side = (winner == Direction.UP).astype(np.float64) - (winner == Direction.DOWN)
    return np.where(probabilities.max(axis=1) >= thresholds, side, 0.0)
