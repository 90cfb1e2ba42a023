"""Statistics of training data that live windows are compared with."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Floats

MAX_PERSISTENCE = 0.999


@dataclass(frozen=True, slots=True)
class TrainingReference:
    """Features of the training windows of a model."""

    names: tuple[str, ...]
    mean: Floats
    """(feature,)"""
    deviation: Floats
    """Standard deviation, (feature,)."""
    persistence: Floats
    """Correlation of each feature in neighboring bars, 0 to less than 1, (feature,)."""
    sessions: int
    """Sessions that the training windows are of, about."""


def persistence(covariance: Floats, steps: int) -> Floats:
    """Return the correlation of each feature in neighboring bars, (feature,), if it falls geometrically.

    Args:
        covariance: of normalized windows, (time x feature, time x feature).
        steps: bars of a window, 2 or more.
    """
    features = len(covariance) // steps
    first, last = np.arange(features), np.arange(features) + (steps - 1) * features
    scale = np.sqrt(covariance[first, first] * covariance[last, last])
    correlation = covariance[first, last] / scale
    return np.asarray(np.clip(correlation, 0, MAX_PERSISTENCE) ** (1 / (steps - 1)))
