"""How well scores rank the symbols of a close by the returns that followed.

The information coefficient (IC) of a close is the correlation of scores and returns over its symbols; the Rank IC is
that of their ranks, and the ICIR the mean IC divided by its standard deviation: Grinold and Kahn (2000), "Active
portfolio management", chapters 6 and 10; Qian, Hua and Sorensen (2007), "Quantitative equity portfolio management",
section 4.1. Every figure is a mean over closes, so that a close counts once however many symbols it has.

Closes of one day, and of neighboring days, are not independent: days are resampled in blocks, and two scores of the
same symbols are compared sample by sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.statistics import MIN_BLOCKS, IntervalEstimate, block_sums, interval
from glasstape_server.domain.times import DAY

MIN_SYMBOLS = 5
"""Least number of symbols of a close: one in each quantile."""
QUANTILES = 5
"""Parts of about equal size that the symbols of a close are divided into by their scores, the lowest first."""
DRAWS = 1000
"""Bootstrap samples."""

_IC, _RANK_IC, _IC_SQUARE, _RANK_IC_SQUARE, _TOP, _TURNOVER, _TURNED, _CLOSES = range(8)
_RETURNS = slice(8, 8 + QUANTILES)
_WIDTH = 8 + QUANTILES


@dataclass(frozen=True, slots=True)
class ScoredReturns:
    """Scores of symbols at closes, with the returns that followed."""

    scores: Floats
    """(n,); higher: a higher return is expected."""
    returns: Floats
    """Simple returns, (n,)."""
    close_time: Ints
    """Microseconds, (n,)."""
    symbol: Ints
    """Number of each symbol, (n,); a symbol occurs once in a close."""

    def __len__(self) -> int:
        return len(self.scores)


class RankingEstimates:
    """Figures of one score over all closes, with 95 % intervals."""

    def __init__(
        self,
        parts: Sequence[ScoredReturns],
        block: int,
        *,
        top: int | None = None,
        horizon: int = 1,
        cost: float = 0.0,
    ) -> None:
        """Measure every close and draw bootstrap samples.

        Args:
            parts: tests whose closes are independent of each other, for example folds.
            block: days per bootstrap block, at least as many as a return looks ahead.
            top: symbols of the top-k test; None: a tenth of those of the close, at least one.
            horizon: closes that a return covers; symbols are exchanged after as many.
            cost: of buying or selling, as a share of the price.

        Raises:
            ValueError: too few days with a close of `MIN_SYMBOLS` symbols.
        """
        measured = [_by_close(part, top, horizon) for part in parts]
        times = np.concatenate([closes for closes, _ in measured])
        self.closes = len(times)
        """Closes that were measured; others have fewer than `MIN_SYMBOLS` symbols."""
        days, day = np.unique((times - 1) // DAY, return_inverse=True)
        if len(days) < MIN_BLOCKS * block:
            raise ValueError(
                f"ranking: at least {MIN_BLOCKS * block} days with a close of {MIN_SYMBOLS} symbols are required,"
                f" there are {len(days)}"
            )
        rows = np.concatenate([figures for _, figures in measured])
        sums: Floats = np.stack([np.bincount(day, column, len(days)) for column in rows.T], axis=1)
        self._blocks, self._cost = len(days) // block, cost
        self._total = sums.sum(axis=0, keepdims=True)
        self._drawn = block_sums(sums, block, DRAWS, seed=0)

    @property
    def estimates(self) -> dict[str, IntervalEstimate]:
        """Every figure by name: `FIGURES`, and quantile_1 … quantile_5, the excess return of each quantile."""
        names = [*FIGURES, *(f"quantile_{number}" for number in range(1, QUANTILES + 1))]
        if not self._total[0, _TURNED]:
            names = [name for name in names if name not in _WITH_TURNOVER]
        return {name: self._estimate(self._figure(name)) for name in names}

    def difference(self, other: "RankingEstimates", name: str) -> IntervalEstimate:
        """Return a figure minus that of another score of the same symbols and closes."""
        own, others = self._figure(name), other._figure(name)
        values = own(self._drawn) - others(other._drawn)
        value = float((own(self._total) - others(other._total))[0])
        return IntervalEstimate(value, *interval(values, blocks=self._blocks))

    def _figure(self, name: str) -> Callable[[Floats], Floats]:
        if name == "top_net_return":
            return lambda sums: _top(sums) - 2 * self._cost * _turnover(sums)
        if name.startswith("quantile_"):
            column = _RETURNS.start + int(name.removeprefix("quantile_")) - 1
            return lambda sums: np.asarray(sums[:, column] / sums[:, _CLOSES])
        return FIGURES[name]

    def _estimate(self, figure: Callable[[Floats], Floats]) -> IntervalEstimate:
        values = interval(figure(self._drawn), blocks=self._blocks)
        return IntervalEstimate(float(figure(self._total)[0]), *values)


def _mean(column: int) -> Callable[[Floats], Floats]:
    return lambda sums: np.asarray(sums[:, column] / sums[:, _CLOSES])


def _ratio(column: int, square: int) -> Callable[[Floats], Floats]:
    """Return the function that divides the mean over closes by the standard deviation over closes; 0 if it is 0."""

    def figure(sums: Floats) -> Floats:
        count = sums[:, _CLOSES]
        mean = sums[:, column] / count
        variance = (sums[:, square] / count - mean**2) * count / np.maximum(count - 1, 1)
        usable = variance > 1e-18
        return np.asarray(np.where(usable, mean / np.sqrt(np.where(usable, variance, 1.0)), 0.0))

    return figure


def _spread(sums: Floats) -> Floats:
    returns = sums[:, _RETURNS]
    return np.asarray((returns[:, -1] - returns[:, 0]) / sums[:, _CLOSES])


def _monotonicity(sums: Floats) -> Floats:
    """Return the rank correlation of quantiles and their mean returns; equal returns share their mean rank."""
    returns = sums[:, _RETURNS]
    number = np.repeat(np.arange(len(returns)), QUANTILES)
    ranks = mean_ranks(number, returns.ravel()).reshape(returns.shape)
    return _correlation(number, np.tile(np.arange(QUANTILES, dtype=np.float64), len(returns)), ranks.ravel())


def _top(sums: Floats) -> Floats:
    return np.asarray(sums[:, _TOP] / sums[:, _CLOSES])


def _turnover(sums: Floats) -> Floats:
    turned = sums[:, _TURNED]
    return np.asarray(np.divide(sums[:, _TURNOVER], turned, out=np.full(len(sums), np.nan), where=turned > 0))


FIGURES: dict[str, Callable[[Floats], Floats]] = {
    "ic": _mean(_IC),
    "icir": _ratio(_IC, _IC_SQUARE),
    "rank_ic": _mean(_RANK_IC),
    "rank_icir": _ratio(_RANK_IC, _RANK_IC_SQUARE),
    "spread": _spread,
    "monotonicity": _monotonicity,
    "top_return": _top,
    "turnover": _turnover,
    "top_net_return": _top,
}
"""Functions of sums over closes (draw, column), by name:

- ic, rank_ic: mean over closes, -1 to 1; icir, rank_icir: the same by their standard deviation over closes.
- spread: mean return of the highest quantile minus that of the lowest, over the horizon.
- monotonicity: rank correlation of quantiles and their mean returns, 1: every quantile returns more than the one below.
- top_return: mean return of the top-k symbols minus that of all symbols of the close, over the horizon.
- turnover: share of the top-k symbols that are exchanged after a horizon, 0-1.
- top_net_return: top_return minus the cost of selling and buying the exchanged share.
"""
_WITH_TURNOVER = ("turnover", "top_net_return")


def mean_ranks(groups: Ints, values: Floats) -> Floats:
    """Return the rank of each value (n,) within its group, from 0; equal values share their mean rank."""
    order = np.lexsort((values, groups))
    ordered, grouped = values[order], groups[order]
    new_group = np.r_[True, grouped[1:] != grouped[:-1]]
    new_value = new_group | np.r_[True, ordered[1:] != ordered[:-1]]
    position = np.arange(len(values))
    first_of_group = position[new_group][np.cumsum(new_group) - 1]
    starts = position[new_value]
    sizes = np.diff(np.r_[starts, len(values)])
    run = np.cumsum(new_value) - 1
    ranks = np.empty(len(values))
    ranks[order] = starts[run] - first_of_group + (sizes[run] - 1) / 2
    return ranks


def _correlation(groups: Ints, left: Floats, right: Floats) -> Floats:
    """Return the correlation within each group, numbered from 0 without gaps; 0 where all values are equal."""
    count = np.bincount(groups)
    centered = [side - (np.bincount(groups, side) / count)[groups] for side in (left, right)]
    squares = [np.bincount(groups, side * side) for side in centered]
    norm = np.sqrt(squares[0] * squares[1])
    product = np.bincount(groups, centered[0] * centered[1])
    return np.asarray(np.divide(product, norm, out=np.zeros(len(count)), where=norm > 1e-12))


def _by_close(part: ScoredReturns, top: int | None, horizon: int) -> tuple[Ints, Floats]:
    """Return the closes with enough symbols, (close,), and their figures, (close, column)."""
    _, numbers, counts = np.unique(part.close_time, return_inverse=True, return_counts=True)
    enough = counts[numbers] >= MIN_SYMBOLS
    closes, number = np.unique(part.close_time[enough], return_inverse=True)
    if not len(closes):
        return closes, np.empty((0, _WIDTH))
    scores, returns = part.scores[enough], part.returns[enough]
    count = np.bincount(number)
    excess = returns - (np.bincount(number, returns) / count)[number]
    rows = np.zeros((len(closes), _WIDTH))
    rows[:, _IC] = _correlation(number, scores, returns)
    rows[:, _RANK_IC] = _correlation(number, mean_ranks(number, scores), mean_ranks(number, returns))
    rows[:, _IC_SQUARE], rows[:, _RANK_IC_SQUARE] = rows[:, _IC] ** 2, rows[:, _RANK_IC] ** 2
    # Of equal scores, the symbol with the lower number comes first: any fixed order that ignores returns will do.
    order = np.lexsort((part.symbol[enough], scores, number))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    quantile = place * QUANTILES // count[number]
    cell = number * QUANTILES + quantile
    sizes = np.bincount(cell, minlength=len(closes) * QUANTILES)
    rows[:, _RETURNS] = (np.bincount(cell, excess, len(sizes)) / sizes).reshape(-1, QUANTILES)
    held = np.minimum(count, np.maximum(1, count // 10) if top is None else top)
    chosen = place >= (count - held)[number]
    rows[:, _TOP] = np.bincount(number, np.where(chosen, excess, 0.0)) / held
    turned = _exchanged(number[chosen], part.symbol[enough][chosen].astype(np.int64), held, horizon)
    rows[horizon:, _TURNOVER], rows[horizon:, _TURNED] = turned, 1.0
    rows[:, _CLOSES] = 1.0
    return closes, rows


def _exchanged(close: Ints, symbol: Ints, held: Ints, horizon: int) -> Floats:
    """Return the share of symbols that were not held a horizon before, of every close but the first ones.

    Args:
        close: number of the close of each held symbol, (m,).
        symbol: that is held, (m,).
        held: symbols held at each close, (close,).
        horizon: closes between the two.
    """
    base = int(symbol.max(initial=0)) + 1
    kept = np.isin(close * base + symbol, (close + horizon) * base + symbol)
    return np.asarray(1 - np.bincount(close, kept, len(held))[horizon:] / held[horizon:])
