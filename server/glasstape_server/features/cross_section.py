"""Ranks of symbols within a close: the same function for training and serving."""

from collections.abc import Callable

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.features.spec import FeatureSpec

CloseRanks = Callable[[Ints, Float32s], Float32s]
"""Returns the rank of each value within its close, float32 (..., bar, ranked feature), NaN where the value is NaN.

Takes the close times (..., bar) and the values (..., bar, ranked feature) of bars.
"""


def rank_within(closes: Ints, values: Float32s) -> Float32s:
    """Return the rank of each value among those of the same close.

    The mean rank of equal values, (2 x rank - 1) / count - 1: within -1 .. 1, 0 for the median and for a symbol
    alone. It depends on the order of the values alone.

    Args:
        closes: number of each row's close, (n,).
        values: float32 (n, feature); NaN is not ranked and does not count.

    Returns:
        float32 (n, feature); NaN where the value is not finite.
    """
    ranks = np.full(values.shape, np.nan, dtype=np.float32)
    _, numbers = np.unique(closes, return_inverse=True)
    for column in range(values.shape[1]):
        finite = np.flatnonzero(np.isfinite(values[:, column]))
        keys = numbers[finite] << 32 | _sortable(values[finite, column])
        order = np.argsort(keys)
        ordered = keys[order]
        start, count = _runs(ordered >> 32)
        first, equal = _runs(ordered)
        ranks[finite[order], column] = (2 * (first - start) + equal) / count - 1
    return ranks


def _sortable(values: Float32s) -> Ints:
    """Return numbers below 2^32 in the order of finite values; equal values have equal numbers."""
    bits = (values + np.float32(0)).view(np.uint32)  # -0 becomes 0
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.int64)


def _runs(ordered: Ints) -> tuple[Ints, Ints]:
    """Return where the run of equal numbers of each row begins, and its length, of ordered numbers (n,)."""
    begins = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] + 1))
    counts = np.diff(np.append(begins, len(ordered)))
    return np.repeat(begins, counts), np.repeat(counts, counts)


def with_ranks(spec: FeatureSpec, close_time: Ints, rows: Floats, ranks: CloseRanks | None) -> Floats:
    """Replace the values of ranked features by their ranks.

    Args:
        spec: names of the features.
        close_time: of the bars, (..., bar).
        rows: as `compute.unranked` returns them, (..., bar, feature); changed in place.
        ranks: of the closes; None: the spec has no ranked feature.

    Raises:
        ValueError: the spec has ranked features, and there are no ranks.
    """
    if spec.ranked_names:
        if ranks is None:
            raise ValueError(
                f"feature_spec.features: {', '.join(spec.ranked_names)} need the ranks of each close"
            )
        columns = list(spec.ranked_columns)
        rows[..., columns] = ranks(close_time, rows[..., columns].astype(np.float32))
    return rows
