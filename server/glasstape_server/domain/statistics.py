"""Statistics that the feed's live figures, training and evaluation share.

Confidence intervals are for clustered observations: symbols move together on the same day.
"""

import math
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.times import DAY

Z_95 = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""
DRAWS_AT_ONCE = 100
"""Bootstrap samples computed at once."""
MIN_BLOCKS = 3
"""Least number of blocks of closes for an interval."""


@dataclass(frozen=True, slots=True)
class IntervalEstimate:
    """Value with its 95 % confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} … {self.high:.4f})"


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return the probabilities (n, class) of logits (n, class) divided by the temperature."""
    scaled = logits / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def equal_mass_bins(values: Floats, bins: int) -> Ints:
    """Return the bin, 0 .. bins - 1, of each value (n,): bins hold about as many, equal values share one."""
    return np.asarray(np.searchsorted(np.sort(values), values) * bins // len(values))


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927); (0, 1) for a count of 0.

    Both arguments may be fractional (an effective sample size); SciPy's interval takes whole counts only.
    """
    if count == 0:
        return 0.0, 1.0
    rate, z2 = hits / count, Z_95 * Z_95
    center = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 / (1 + z2 / count) * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
    # Rounding must not put a bound on the wrong side of the rate itself.
    return max(0.0, min(rate, center - half)), min(1.0, max(rate, center + half))


def clustered_wilson(hits: Ints, counts: Ints) -> tuple[float, float]:
    """Return Wilson's interval with the effective sample size of clustered observations.

    Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data": the size is divided by the design effect, here never below 1, and
    corrected for the few degrees of freedom of few clusters.

    Args:
        hits: hits of each cluster, (cluster,).
        counts: observations of each cluster, (cluster,).
    """
    from scipy.special import stdtrit  # takes 0.2 s and 13 MB, which a server without outcomes saves

    nonempty = counts > 0
    hits, counts = hits[nonempty], counts[nonempty]
    total, clusters = int(counts.sum()), len(counts)
    if total == 0:
        return 0.0, 1.0
    rate = float(hits.sum() / total)
    independent = rate * (1 - rate) / total
    if clusters == 1 or independent == 0:
        effective = float(clusters)  # the correlation within clusters is unknown, so each counts once
    else:
        clustered = float(((hits - rate * counts) ** 2).sum()) * clusters / (clusters - 1) / total**2
        effective = total / max(1.0, clustered / independent)
    if clusters > 1:
        # Few clusters give a poor estimate of their own variance: equation 2.
        effective *= float(stdtrit(total - 1, 0.975) / stdtrit(clusters - 1, 0.975)) ** 2
    return wilson(rate * effective, effective)


def clustered_mean(sums: Floats, counts: Floats) -> IntervalEstimate:
    """Return the mean of clustered observations, with Student's interval of a ratio (Cochran 1977, section 6.4).

    Args:
        sums: sum of each cluster, (cluster,); two clusters or more.
        counts: observations of each cluster, (cluster,).
    """
    from scipy.special import stdtrit  # as above

    nonempty = counts > 0
    sums, counts = sums[nonempty], counts[nonempty]
    total, size = float(counts.sum()), len(counts)
    mean = float(sums.sum()) / total
    error = math.sqrt(float(((sums - mean * counts) ** 2).sum()) * size / (size - 1)) / total
    half = float(stdtrit(size - 1, 0.975)) * error
    return IntervalEstimate(mean, mean - half, mean + half)


def block_sums(by_day: Floats, block: int, draws: int, seed: int) -> Floats:
    """Return sums over resampled days, (draws, figure).

    Circular block bootstrap, Politis and Romano (1992), "A circular block-resampling procedure for stationary
    data": blocks of consecutive days are drawn, which keeps the correlation of neighboring days.

    Args:
        by_day: sums of each day, (day, figure).
        block: days in a block.
        draws: bootstrap samples.
        seed: of the draws.
    """
    days = len(by_day)
    block = min(block, days)
    around = np.concatenate(
        [np.zeros((1, by_day.shape[1])), np.cumsum(np.concatenate([by_day, by_day[:block]]), 0)]
    )
    sums = around[block : block + days] - around[:days]
    starts = np.random.default_rng(seed).integers(0, days, (draws, math.ceil(days / block)))
    drawn = np.empty((draws, by_day.shape[1]))
    for first in range(0, draws, DRAWS_AT_ONCE):
        part = starts[first : first + DRAWS_AT_ONCE]
        # Counts times sums: a matrix product takes little memory, and releases the interpreter's lock.
        cells = part + np.arange(len(part))[:, None] * days
        counts = np.bincount(cells.ravel(), minlength=len(part) * days).reshape(len(part), days)
        drawn[first : first + len(part)] = counts.astype(np.float64) @ sums
    return drawn


def block_of(close_times: Ints, window_bars: int) -> int:
    """Return the closes per bootstrap block of windows.

    Four times the bars of a window, because windows of neighboring closes share bars; with fewer than ten such blocks
    twice as many, with fewer than `MIN_BLOCKS` of those, as many. At least a day, if there are ten days and more,
    because bars of a day are alike.

    Args:
        close_times: distinct closes, ascending, microseconds, (close,).
        window_bars: bars of a window.
    """
    closes = len(close_times)
    days = len(np.unique((close_times - 1) // DAY))
    day = math.ceil(closes / days) if days >= 10 else 1
    for multiple, least in ((4, 10), (2, MIN_BLOCKS)):
        block = max(multiple * window_bars, day)
        if closes >= least * block:
            return block
    return window_bars


def block_widening(closes: int, block: int, window_bars: int) -> float:
    """Return the factor by which a block bootstrap of closes is too narrow; NaN for fewer than `MIN_BLOCKS` blocks.

    Few blocks underestimate their own variance: by sqrt(b / (b - 1)) for b blocks. And blocks cut the dependence
    between neighbors (Kuensch 1989, "The jackknife and the bootstrap for general stationary observations", theorem
    3.1): the correlation of two windows is taken to be the share of the bars that they have in common.

    Args:
        closes: number of distinct closes.
        block: closes per block.
        window_bars: bars of a window.
    """
    blocks = closes / block
    if blocks < MIN_BLOCKS:
        return math.nan
    lags = np.abs(np.arange(1 - window_bars, window_bars))
    common = 1 - lags / window_bars
    cut = float(common.sum() / (common * np.maximum(0, 1 - lags / block)).sum())
    return math.sqrt(cut * blocks / (blocks - 1))


def student_quantile(level: float, degrees: float) -> float:
    """Return a quantile of Student's t distribution with so many degrees of freedom, above 0."""
    from scipy.special import stdtrit  # see `clustered_wilson`

    return float(stdtrit(degrees, level))


def student_tail(statistic: Floats, degrees: float) -> Floats:
    """Return the probability that Student's t exceeds each statistic, (n,)."""
    from scipy.special import stdtr  # see `clustered_wilson`

    return np.asarray(stdtr(degrees, -statistic))


def interval(values: Floats, level: float = 0.95, blocks: int | None = None) -> tuple[float, float]:
    """Return the lower and upper bound of bootstrap values; NaN (an empty draw) is left out.

    Args:
        values: of each draw, (draw,).
        level: of the interval.
        blocks: blocks that a sample consists of, which widens the interval of few: Hesterberg (2015), "What teachers
            should know about the bootstrap", section 4.2, the expanded percentile interval.
    """
    from scipy.special import ndtr, stdtrit  # as above

    tail = (1 - level) / 2
    if blocks is not None and blocks > 1:
        tail = float(ndtr(math.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, tail)))
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
