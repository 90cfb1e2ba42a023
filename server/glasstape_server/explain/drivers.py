"""The cells that mattered most, as data."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain import Float32s
from glasstape_server.explain.method import Quantity


@dataclass(frozen=True, slots=True)
class Driver:
    """One cell of a map with what stood there."""

    feature_index: int
    time_index: int
    value: float
    z_score: float
    attribution: float
    share: float | None


def drivers(
    window: Float32s,
    values: Float32s,
    mean: Float32s,
    deviation: Float32s,
    quantity: Quantity,
    count: int = 5,
) -> list[Driver]:
    """The `count` strongest cells of one map, strongest first; none of a degenerate map.

    A share is given for complete maps only: of other maps the cells do not add up to anything.
    """
    strength = np.abs(values)
    total = float(strength.sum())
    if not np.isfinite(total) or total == 0:
        return []
    found = []
    for position in np.argsort(-strength, axis=None, kind="stable")[:count]:
        time, feature = divmod(int(position), values.shape[1])
        found.append(
            Driver(
                feature_index=feature,
                time_index=time,
                value=float(window[time, feature]),
                z_score=float((window[time, feature] - mean[feature]) / deviation[feature]),
                attribution=float(values[time, feature]),
                share=float(strength[time, feature]) / total if quantity is Quantity.CONTRIBUTION else None,
            )
        )
    return found
