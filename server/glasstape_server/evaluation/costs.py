"""What following every signal would have earned, before and after costs: simple, and simply stated.

A unit of capital lies equally on all symbols. Where a candidate does not abstain, UP is held long and DOWN short
for the horizon or until a barrier, everything else is cash; over a horizon of h bars each signal takes 1/h of the
symbol's capital. Every change of a position costs. No slippage, no borrowing fee, no limit on size: real results
are worse.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.statistics import block_sums, interval
from glasstape_server.domain.values import DAY, Direction, Floats, Ints
from glasstape_server.evaluation.figures import BLOCK, DRAWS, Estimate
from glasstape_server.features.labels import LabelRule

_GROSS, _TURNOVER, _CLOSES = range(3)


@dataclass(frozen=True, slots=True)
class Earned:
    """Log returns of a bar, on the capital."""

    gross: Estimate
    turnover: Estimate
    """Share of the capital that changes hands at a bar."""
    net: Estimate
    break_even: float
    """Cost at which nothing is left; 0 if nothing was earned."""


def earned(
    positions: Floats,
    returns: Floats,
    close_time: Ints,
    series: Ints,
    rule: LabelRule,
    cost: float,
    block: int = BLOCK,
) -> Earned:
    """Sum up.

    Args:
        positions: -1, 0 or 1 of each window, (n,).
        returns: log return that decided its outcome, (n,).
        close_time: of each window, (n,).
        series: number of each window's symbol, (n,); what is held is not carried from one to another.
        rule: how long a signal is held.
        cost: of every change of a position, as a share of the price.
        block: days that are drawn together.
    """
    order = np.lexsort((close_time, series))
    held = positions[order] / rule.horizon_bars
    changed = _changed(held, series[order], rule)
    times, close = np.unique(close_time[order], return_inverse=True)
    counts = np.bincount(close)
    by_close = np.stack(
        [
            np.bincount(close, held * returns[order]) / counts,
            np.bincount(close, changed) / counts,
            np.ones(len(times)),
        ],
        axis=1,
    )
    _, day = np.unique((times - 1) // DAY, return_inverse=True)
    sums = np.stack([np.bincount(day, column) for column in by_close.T], axis=1).astype(np.float64)
    drawn, total = block_sums(sums, block, DRAWS, seed=0), sums.sum(axis=0)

    def estimate(row: Floats) -> Estimate:
        values = drawn @ row / drawn[:, _CLOSES]
        return Estimate(float(total @ row / total[_CLOSES]), *interval(values))

    gross, turnover = float(total[_GROSS]), float(total[_TURNOVER])
    return Earned(
        estimate(np.array([1.0, 0, 0])),
        estimate(np.array([0, 1.0, 0])),
        estimate(np.array([1.0, -cost, 0])),
        max(0.0, gross / turnover) if turnover else 0.0,
    )


def _changed(held: Floats, series: Ints, rule: LabelRule) -> Floats:
    """Share of a symbol's capital that each window turns over, (n,); ordered by series and time.

    A signal begins at its window and ends a horizon later, when the next one may begin: only the difference is
    traded. A barrier may end it earlier, so that there each is bought and sold for itself.
    """
    if rule.kind == "triple_barrier":
        return 2 * np.abs(held)
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    changed = np.empty_like(held)
    for first, end in itertools.pairwise([*starts, len(held)]):
        own = held[first:end]
        horizon = min(rule.horizon_bars, len(own))
        ended = np.r_[np.zeros(horizon), own[: len(own) - horizon]]
        changed[first:end] = np.abs(own - ended)
        changed[end - 1] += np.abs(own[len(own) - horizon :]).sum()  # what is left is sold
    return changed


def positions(stated: Floats, thresholds: Floats) -> Floats:
    """What a candidate would hold: its direction where it is sure enough, else nothing, (n,)."""
    winner = stated.argmax(axis=1)
    side = (winner == Direction.UP).astype(np.float64) - (winner == Direction.DOWN)
    return np.where(stated.max(axis=1) >= thresholds, side, 0.0)
