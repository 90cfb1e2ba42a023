"""Figures of a paper book: return, drawdown, turnover and costs, with intervals of what may be chance.

Intervals are circular block bootstraps of days (`statistics.block_sums`). For the Sharpe ratio: Ledoit and Wolf (2008),
"Robust performance hypothesis testing with the Sharpe ratio", section 3.2, which resamples blocks because returns are
neither normal nor independent; here without their studentization, with expanded percentiles instead.
"""

import math
from dataclasses import dataclass

import numpy as np
from glasstape.skill import EdgeVerdict, edge_verdict

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.statistics import IntervalEstimate, block_sums, clustered_wilson, interval
from glasstape_server.domain.times import DAY

BLOCK = 10
"""Days per bootstrap block, where there are ten such blocks."""
MIN_BLOCKS = 10
MIN_DAYS = 20
"""Days below which there are no intervals."""
DRAWS = 2000
YEAR = 365.25 * DAY
"""Microseconds of a mean year."""
_RETURN, _SQUARE, _BENCHMARK, _BENCHMARK_SQUARE, _PRODUCT, _BEFORE_COSTS = range(6)


@dataclass(frozen=True, slots=True)
class BookCurve:
    """What a paper book was at each close, (close,) each; the first close is that of the first decision.

    Values are in units of the capital, 1 at the first close.
    """

    time: Ints
    """Microseconds."""
    equity: Floats
    """After costs."""
    benchmark: Floats
    """Equity of the equal-weighted universe, without costs."""
    long: Floats
    short: Floats
    """Value of short positions, 0 or more."""
    traded: Floats
    """Buys and sells at the close."""
    commission: Floats
    spread: Floats
    tax: Floats
    borrow: Floats
    closed: Ints
    """Positions that ended."""
    gained: Ints
    """Of these, positions that brought more than they cost, after costs."""
    positions: Ints
    """Positions that are open after the close."""

    @property
    def costs(self) -> Floats:
        """All costs, (close,)."""
        return self.commission + self.spread + self.tax + self.borrow


@dataclass(frozen=True, slots=True)
class Drawdown:
    """Largest loss from a peak to a later trough."""

    depth: float
    """Share of the peak, 0-1."""
    peak: int
    """Close of the peak, microseconds."""
    trough: int


@dataclass(frozen=True, slots=True)
class BookFigures:
    """Figures of a paper book. Means are of days; a year has `days_per_year` of them."""

    days: int
    """Days with a return."""
    days_per_year: float
    block: int
    """Days per bootstrap block."""
    level: float
    """Of the intervals, 0-1."""
    total_return: float
    benchmark_return: float
    """Total return of the equal-weighted universe, without costs."""
    mean: IntervalEstimate | None
    """Mean return of a day, after costs. None, as below: too few days."""
    mean_before_costs: IntervalEstimate | None
    excess: IntervalEstimate | None
    """Mean return of a day, after costs, less that of the benchmark."""
    alpha: IntervalEstimate | None
    """Mean return of a day that the movement of the benchmark does not explain: intercept of a regression on it."""
    sharpe: IntervalEstimate | None
    """Mean by standard deviation of daily returns, of a year."""
    benchmark_sharpe: IntervalEstimate | None
    volatility: float
    """Standard deviation of daily returns, of a year."""
    drawdown: Drawdown
    benchmark_drawdown: Drawdown
    turnover: float
    """Half of buys and sells by the equity, of a year."""
    commission: float
    """By the equity, of a year; likewise the other costs."""
    spread: float
    tax: float
    borrow: float
    exposure: float
    """Mean of long and short positions by the equity, over closes."""
    net_exposure: float
    """Mean of long less short positions by the equity, over closes."""
    positions: float
    """Mean number of open positions, over closes."""
    closed: int
    """Positions that ended."""
    hit_rate: IntervalEstimate | None
    """Share of positions that gained after costs; of a rising market it is high without skill. None: none ended."""
    verdict: EdgeVerdict
    """What the intervals show."""

    @property
    def costs(self) -> float:
        """All costs by the equity, of a year."""
        return self.commission + self.spread + self.tax + self.borrow


def book_figures(curve: BookCurve, *, trials: int = 1, seed: int = 0) -> BookFigures:
    """Return the figures of a paper book.

    Args:
        curve: two closes or more.
        trials: books or models that were tried on this period; the intervals hold for all of them together
            (Bonferroni).
        seed: of the bootstrap.
    """
    points = _day_ends(curve.time)
    returns, benchmark = (
        each[points[1:]] / each[points[:-1]] - 1 for each in (curve.equity, curve.benchmark)
    )
    before = _sums(curve.costs, points) / curve.equity[points[:-1]]
    days = len(returns)
    per_year = days * YEAR / float(curve.time[-1] - curve.time[0])
    block = min(BLOCK, max(1, days // MIN_BLOCKS))
    level = 1 - 0.05 / trials
    estimates = _Estimates(returns, benchmark, returns + before, per_year, block, level, seed)
    mean, excess, alpha = estimates.mean, estimates.excess, estimates.alpha
    shares = {
        name: float((getattr(curve, name) / curve.equity).sum() / days * per_year)
        for name in ("traded", "commission", "spread", "tax", "borrow")
    }
    return BookFigures(
        days=days,
        days_per_year=per_year,
        block=block,
        level=level,
        total_return=float(curve.equity[-1] / curve.equity[0] - 1),
        benchmark_return=float(curve.benchmark[-1] / curve.benchmark[0] - 1),
        mean=mean,
        mean_before_costs=estimates.before_costs,
        excess=excess,
        alpha=alpha,
        sharpe=estimates.sharpe,
        benchmark_sharpe=estimates.benchmark_sharpe,
        volatility=float(returns.std() * math.sqrt(per_year)),
        drawdown=_drawdown(curve.equity, curve.time),
        benchmark_drawdown=_drawdown(curve.benchmark, curve.time),
        turnover=shares["traded"] / 2,
        commission=shares["commission"],
        spread=shares["spread"],
        tax=shares["tax"],
        borrow=shares["borrow"],
        exposure=float(((curve.long + curve.short) / curve.equity).mean()),
        net_exposure=float(((curve.long - curve.short) / curve.equity).mean()),
        positions=float(curve.positions.mean()),
        closed=int(curve.closed.sum()),
        hit_rate=_hit_rate(curve, points),
        verdict=EdgeVerdict.UNSPECIFIED
        if mean is None or excess is None or alpha is None
        else edge_verdict(mean.low, alpha.low, excess.low, excess.high),
    )


class _Estimates:
    """Means and Sharpe ratios with their intervals."""

    def __init__(
        self,
        returns: Floats,
        benchmark: Floats,
        before_costs: Floats,
        per_year: float,
        block: int,
        level: float,
        seed: int,
    ) -> None:
        columns = [returns, returns**2, benchmark, benchmark**2, returns * benchmark, before_costs]
        by_day = np.stack(columns, axis=1)
        self._days, self._blocks, self._level = len(returns), len(returns) // block, level
        draws = round(DRAWS * 0.05 / (1 - level))
        drawn = block_sums(by_day, block, draws, seed) if self._days >= MIN_DAYS else np.empty((0, 6))
        # Blocks cover more days than there are, by less than a block.
        self._sums = np.concatenate(
            [by_day.sum(axis=0)[None] / self._days, drawn / (-(-self._days // block) * block)]
        )
        self._scale = math.sqrt(per_year)

    @property
    def mean(self) -> IntervalEstimate | None:
        return self._estimate(self._sums[:, _RETURN])

    @property
    def before_costs(self) -> IntervalEstimate | None:
        return self._estimate(self._sums[:, _BEFORE_COSTS])

    @property
    def excess(self) -> IntervalEstimate | None:
        return self._estimate(self._sums[:, _RETURN] - self._sums[:, _BENCHMARK])

    @property
    def alpha(self) -> IntervalEstimate | None:
        own, market = self._sums[:, _RETURN], self._sums[:, _BENCHMARK]
        variance = self._sums[:, _BENCHMARK_SQUARE] - market**2
        with np.errstate(invalid="ignore", divide="ignore"):
            beta = np.where(variance > 0, (self._sums[:, _PRODUCT] - own * market) / variance, 0.0)
        return self._estimate(own - beta * market)

    @property
    def sharpe(self) -> IntervalEstimate | None:
        return self._sharpe(_RETURN, _SQUARE)

    @property
    def benchmark_sharpe(self) -> IntervalEstimate | None:
        return self._sharpe(_BENCHMARK, _BENCHMARK_SQUARE)

    def _sharpe(self, mean: int, square: int) -> IntervalEstimate | None:
        variance = self._sums[:, square] - self._sums[:, mean] ** 2
        if not variance[0] > 0:
            return None
        with np.errstate(invalid="ignore", divide="ignore"):
            ratios = self._sums[:, mean] / np.sqrt(np.maximum(variance, 0.0))
        ratios[~np.isfinite(ratios)] = np.nan
        return self._estimate(ratios * self._scale)

    def _estimate(self, values: Floats) -> IntervalEstimate | None:
        if len(values) == 1:
            return None
        low, high = interval(values[1:], self._level, self._blocks)
        return IntervalEstimate(float(values[0]), low, high)


def _day_ends(time: Ints) -> Ints:
    """Return the number of the first close and that of the last close of each day, (day + 1,)."""
    day = (time - 1) // DAY
    ends = np.flatnonzero(np.r_[day[1:] != day[:-1], True])
    return ends if ends[0] == 0 else np.r_[0, ends]


def _sums(values: Floats, points: Ints) -> Floats:
    """Return the sum of values (close,) after each point up to the next one, (point - 1,)."""
    total = np.cumsum(values)
    return np.asarray(total[points[1:]] - total[points[:-1]])


def _drawdown(equity: Floats, time: Ints) -> Drawdown:
    peaks = np.maximum.accumulate(equity)
    trough = int((equity / peaks).argmin())
    peak = int(equity[: trough + 1].argmax())
    return Drawdown(float(1 - equity[trough] / peaks[trough]), int(time[peak]), int(time[trough]))


def _hit_rate(curve: BookCurve, points: Ints) -> IntervalEstimate | None:
    closed, gained = (_sums(each.astype(np.float64), points) for each in (curve.closed, curve.gained))
    if not closed.sum():
        return None
    low, high = clustered_wilson(gained.astype(np.int64), closed.astype(np.int64))
    return IntervalEstimate(float(gained.sum() / closed.sum()), low, high)
