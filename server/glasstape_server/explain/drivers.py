"""Drivers: the strongest cells of a map at its native resolution."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.explain.method import Quantity, Shape
from glasstape_server.explain.units import feature_scale


@dataclass(frozen=True, slots=True)
class Driver:
    """Native cell of a map, with the value of the window there."""

    feature_index: int
    time_index: int
    span: Shape
    """(time, feature) cells that it covers, beginning at its indices."""
    value: float | None
    """Value of the window; None if it covers several cells."""
    z_score: float | None
    """Value in standard deviations from the training mean; None if it covers several cells."""
    attribution: float
    """Value of the map."""
    share: float | None
    """|attribution| / sum of |attributions|, 0-1; None unless the map is complete."""


def drivers(
    window: Float32s,
    values: Float32s,
    mean: Float32s,
    deviation: Float32s,
    quantity: Quantity,
    native_shape: Shape | None = None,
    count: int = 5,
) -> list[Driver]:
    """Return the strongest native cells of one map, strongest first; none for a degenerate map.

    Cells of different features are compared per standard deviation.

    Args:
        window: (time, feature), float32.
        values: the map, (time, feature), float32.
        mean: training mean of each feature, (feature,).
        deviation: training standard deviation of each feature, (feature,).
        quantity: meaning of the map.
        native_shape: resolution of the map before upsampling; None: that of the window.
        count: number of cells.
    """
    native = native_shape or (values.shape[0], values.shape[1])
    complete = quantity is Quantity.CONTRIBUTION
    rows, columns = (_edges(size, coarse) for size, coarse in zip(values.shape, native, strict=True))
    cells = 1 if complete else np.diff(rows)[:, None] * np.diff(columns)[None, :]
    blocks = _sums(values.astype(np.float64), rows, columns) / cells
    scale = feature_scale(quantity, deviation)
    strength = np.abs(blocks)
    if scale is not None:
        strength = np.abs(_sums(values * scale, rows, columns) / cells)
    total = float(strength.sum())
    if not np.isfinite(total) or total == 0:
        return []
    order = np.argsort(-strength, axis=None, kind="stable")[:count]
    strongest = []
    for block_row, block_column in zip(*np.unravel_index(order, blocks.shape), strict=True):
        amount = float(blocks[block_row, block_column])
        if amount == 0:
            break
        time, feature = int(rows[block_row]), int(columns[block_column])
        span = (int(rows[block_row + 1]) - time, int(columns[block_column + 1]) - feature)
        single = span == (1, 1)
        strongest.append(
            Driver(
                feature_index=feature,
                time_index=time,
                span=span,
                value=float(window[time, feature]) if single else None,
                z_score=_z(window[time, feature], mean[feature], deviation[feature]) if single else None,
                attribution=amount,
                share=abs(amount) / total if complete else None,
            )
        )
    return strongest


def _sums(values: Floats | Float32s, rows: Ints, columns: Ints) -> Floats:
    """Return the sum of each native cell."""
    return np.asarray(np.add.reduceat(np.add.reduceat(values, rows[:-1], 0), columns[:-1], 1))


def _edges(size: int, coarse: int) -> Ints:
    """Return the first index of each block of a nearest-neighbor upsampling from `coarse` to `size`, and `size`."""
    block = np.arange(size) * coarse // size
    return np.append(np.flatnonzero(np.diff(block, prepend=-1)), size)


def _z(value: np.float32, mean: np.float32, deviation: np.float32) -> float:
    return float((value - mean) / deviation)
