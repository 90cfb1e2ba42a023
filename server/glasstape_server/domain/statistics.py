"""Intervals of figures whose observations hang together: symbols of one day move as one.

numpy alone; what the feed says of its own signals and what evaluations say of models are computed here alike.
"""

import math

import numpy as np

from glasstape_server.domain.values import Floats, Ints

Z_95 = 1.959963984540054
"""Standard normal quantile of a 95 % interval."""


def wilson(hits: float, count: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson 1927); (0, 1) for nothing."""
    if count == 0:
        return 0.0, 1.0
    rate, z2 = hits / count, Z_95 * Z_95
    centre = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 / (1 + z2 / count) * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
    # Rounding must not put an end on the wrong side of the rate itself.
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def clustered_wilson(hits: Ints, counts: Ints) -> tuple[float, float]:
    """Wilson's interval with the sample size that observations in clusters are worth.

    Korn and Graubard (1998), "Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data": the size is divided by the design effect, here never below 1, and
    corrected for the few degrees of freedom of few clusters.

    Args:
        hits: hits of each cluster, (cluster,).
        counts: observations of each cluster, (cluster,).
    """
    kept = counts > 0
    hits, counts = hits[kept], counts[kept]
    total, clusters = int(counts.sum()), len(counts)
    if total == 0:
        return 0.0, 1.0
    rate = float(hits.sum() / total)
    alone = rate * (1 - rate) / total
    if clusters == 1 or alone == 0:
        worth = float(clusters)  # nothing shows how much a cluster hangs together, so each counts once
    else:
        together = float(((hits - rate * counts) ** 2).sum()) * clusters / (clusters - 1) / total**2
        worth = total / max(1.0, together / alone)
    if clusters > 1:
        # Few clusters say little of how much they differ: their equation 2.
        worth *= (t_975(total - 1) / t_975(clusters - 1)) ** 2
    return wilson(rate * worth, worth)


def t_975(freedom: int) -> float:
    """97.5 % quantile of Student's t (Abramowitz and Stegun 1964, 26.7.5; exact for 1 and 2), freedom 1 or more."""
    if freedom == 1:
        return math.tan(math.pi * 0.475)
    if freedom == 2:
        return 0.95 * math.sqrt(2 / (1 - 0.95**2))
    z, n = Z_95, float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def block_sums(by_day: Floats, block: int, draws: int, seed: int) -> Floats:
    """Sums over resampled days.

    Circular block bootstrap, Politis and Romano (1992), "A circular block-resampling procedure for stationary
    data": blocks of consecutive days are drawn, so that what neighbours share is kept.

    Args:
        by_day: sums of each day, (day, figure).
        block: days in a block.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        (draws, figure).
    """
    days = len(by_day)
    block = min(block, days)
    around = np.concatenate(
        [np.zeros((1, by_day.shape[1])), np.cumsum(np.concatenate([by_day, by_day[:block]]), 0)]
    )
    sums = around[block : block + days] - around[:days]
    starts = np.random.default_rng(seed).integers(0, days, (draws, math.ceil(days / block)))
    return np.asarray(sums[starts].sum(axis=1))


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """Lower and upper end of bootstrap values; values that are no numbers (an empty draw) are left out."""
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
