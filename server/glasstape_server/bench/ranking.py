"""Ranking metrics of maps against the cells that are known to matter."""

import numpy as np

from glasstape_server.bench.known_truth.truth_set import Bools
from glasstape_server.domain.arrays import Floats


def average_precision(strength: Floats, cells: Bools) -> Floats:
    """Return the average precision of each map, 0-1, (n,): the area under its stepped precision-recall curve.

    Cells of equal strength are ranked together, so that their order has no effect.

    Args:
        strength: (n, cell), larger is more important.
        cells: (n, cell), whether a cell matters; at least one in each row.
    """
    order = np.argsort(-strength, axis=1, kind="stable")
    ranked = np.take_along_axis(strength, order, axis=1)
    hit = np.take_along_axis(cells, order, axis=1)
    hits = hit.cumsum(axis=1)
    precision = hits / np.arange(1, strength.shape[1] + 1)
    # Every cell of a tie gets the precision at its end.
    last = np.ones(strength.shape, dtype=bool)
    last[:, :-1] = ranked[:, :-1] != ranked[:, 1:]
    end = np.where(last, np.arange(strength.shape[1]), strength.shape[1])
    end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]
    at_end = np.take_along_axis(precision, end, axis=1)
    return np.asarray((at_end * hit).sum(axis=1) / cells.sum(axis=1))


def chance_levels(cells: Bools) -> Floats:
    """Return the expected average precision of a random map of each window, which exceeds the share of its cells, (n,).

    A cell that matters is at rank i of n with probability 1 / n; there the expected precision is
    (1 + (i - 1) (k - 1) / (n - 1)) / i for k cells that matter.

    Args:
        cells: (n, time, feature), whether a cell matters; at least one in each window.
    """
    count = cells[0].size
    rank = np.arange(1, count + 1)
    others = (cells.sum(axis=(1, 2)) - 1) / (count - 1)
    return np.asarray(((1 + (rank - 1) * others[:, None]) / rank).mean(axis=1))


def time_only_ceiling(cells: Bools) -> float:
    """Return the highest mean average precision of any map that is constant across features.

    Args:
        cells: (n, time, feature), whether a cell matters.
    """
    best = cells.sum(axis=2, keepdims=True).repeat(cells.shape[2], axis=2).astype(np.float64)
    flat = cells.reshape(len(cells), -1)
    return float(average_precision(best.reshape(len(cells), -1), flat).mean())
