"""Units of maps: factors that make the cells of different features comparable.

A derivative by a feature is in score units per unit of that feature: of a feature that is measured in hundredths it is
a hundred times as large. Rankings, pictures and verdicts compare cells per standard deviation; the map keeps its unit.
"""

import numpy as np

from glasstape_server.domain.arrays import Float32s
from glasstape_server.explain.method import Quantity


def feature_scale(quantity: Quantity, deviation: Float32s) -> Float32s | None:
    """Return what the cells of each feature are multiplied by before they are compared, (feature,).

    Args:
        quantity: meaning of the map.
        deviation: training standard deviation of each feature, (feature,).

    Returns:
        None: cells are comparable as they stand.
    """
    if quantity is Quantity.SENSITIVITY:
        return deviation
    if quantity is Quantity.CHANGE:
        return (1 / deviation).astype(np.float32)
    return None


def comparable(values: Float32s, quantity: Quantity, deviation: Float32s) -> Float32s:
    """Return maps (..., time, feature) in units that are comparable across features."""
    scale = feature_scale(quantity, deviation)
    return values if scale is None else values * scale
