"""Drift: whether the importance of a model's inputs has changed between two sets of windows.

Compared are shares, so that a model that has become more certain as a whole does not count as drift. Many parts are
compared at once: the p-values of features, bars and cells are corrected by Holm (1979), "A simple sequentially
rejective multiple test procedure", which holds however the parts depend on each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.statistics import student_quantile, student_tail
from glasstape_server.explain.importance import Estimates, Importance

LEVEL = 0.05
"""Chance that any part of a family is marked although none has changed."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Change of the share of each part, (part,) each."""

    change: Estimates
    """Share minus share in the reference; the interval is that of one part, not corrected."""
    p_value: Floats
    """Two-sided, corrected for the number of features, of bars or of cells; NaN: too few closes."""
    significant: NDArray[np.bool_]
    """Whether the corrected p-value is below `LEVEL`."""


def drift(current: Importance, reference: Importance) -> Drift:
    """Compare two sets of windows of the same model that share no close."""
    change = current.share.value - reference.share.value
    error = np.hypot(current.share_error, reference.share_error)
    degrees = min(current.sample.degrees, reference.sample.degrees)
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where((change == 0) & (error == 0), 0.0, np.abs(change) / error)
    steps, width = current.shape
    families = np.split(2 * student_tail(statistic, degrees), [width, width + steps])
    p_value = np.concatenate([holm(family) for family in families])
    half = error * student_quantile(0.975, degrees)
    return Drift(Estimates(change, change - half, change + half), p_value, p_value < LEVEL)


def holm(p_values: Floats) -> Floats:
    """Return p-values corrected for their number, (n,); NaN stays NaN."""
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p_values[order] * factors))
    return corrected
