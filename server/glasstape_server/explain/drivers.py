"""What mattered most, as data: the strongest cells of a map at its native resolution."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.values import Float32s, Ints
from glasstape_server.explain.method import Quantity, Shape


@dataclass(frozen=True, slots=True)
class Driver:
    """One cell of a map with what stood there."""

    feature_index: int
    time_index: int
    span: Shape
    """Bars and features that it covers, from there on."""
    value: float | None
    """None: it covers more than one cell."""
    z_score: float | None
    attribution: float
    share: float | None


def drivers(
    window: Float32s,
    values: Float32s,
    mean: Float32s,
    deviation: Float32s,
    quantity: Quantity,
    native_shape: Shape | None = None,
    count: int = 5,
) -> list[Driver]:
    """The `count` strongest cells of one map, strongest first; none of a degenerate map.

    A share is given for complete maps only: of other maps the cells do not add up to anything. A map
    coarser than the window has coarser drivers: it cannot tell the features of a bar apart.
    """
    native = native_shape or (values.shape[0], values.shape[1])
    complete = quantity is Quantity.CONTRIBUTION
    rows, columns = (_edges(size, coarse) for size, coarse in zip(values.shape, native, strict=True))
    blocks = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows[:-1], 0), columns[:-1], 1)
    if not complete:
        blocks /= np.diff(rows)[:, None] * np.diff(columns)[None, :]
    strength = np.abs(blocks)
    total = float(strength.sum())
    if not np.isfinite(total) or total == 0:
        return []
    order = np.argsort(-strength, axis=None, kind="stable")[:count]
    found = []
    for block_row, block_column in zip(*np.unravel_index(order, blocks.shape), strict=True):
        amount = float(blocks[block_row, block_column])
        if amount == 0:
            break
        time, feature = int(rows[block_row]), int(columns[block_column])
        span = (int(rows[block_row + 1]) - time, int(columns[block_column + 1]) - feature)
        single = span == (1, 1)
        found.append(
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
    return found


def _edges(size: int, coarse: int) -> Ints:
    """Where the blocks of a nearest-neighbour upsampling from `coarse` to `size` begin, and the end."""
    block = np.arange(size) * coarse // size
    return np.append(np.flatnonzero(np.diff(block, prepend=-1)), size)


def _z(value: np.float32, mean: np.float32, deviation: np.float32) -> float:
    return float((value - mean) / deviation)
