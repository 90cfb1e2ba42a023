"""Sums over trailing bars.

They run tap by tap in a fixed order, so a value is the same bit for bit whether it is computed for one
window or inside ten years of history.
"""

import numpy as np

from glasstape_server.domain.arrays import Floats


def shifted(values: Floats) -> Floats:
    """Return the value one bar earlier, (..., bar); NaN for the first bar."""
    result = np.full_like(values, np.nan)
    result[..., 1:] = values[..., :-1]
    return result


def moving_sum(values: Floats, weights: Floats) -> Floats:
    """Return the weighted sum of the last len(weights) values, (..., bar); NaN before there are enough.

    Args:
        values: (..., bar), oldest first.
        weights: (tap,), of the newest value first.
    """
    length, taps = values.shape[-1], len(weights)
    result = np.full_like(values, np.nan)
    if length < taps:
        return result
    total = np.zeros_like(values[..., taps - 1 :])
    for tap in range(taps):
        total += weights[tap] * values[..., taps - 1 - tap : length - tap]
    result[..., taps - 1 :] = total
    return result


def exponential_weights(span: int) -> Floats:
    """Return the weights of an exponential average, newest first, (2 x span,).

    Cut off after two spans (1.8 % of the weight) and renormalized, so that the look-back is finite.
    """
    weights = (1 - 2 / (span + 1)) ** np.arange(2 * span, dtype=np.float64)
    return np.asarray(weights / weights.sum())
