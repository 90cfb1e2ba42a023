"""How well a map finds the cells that are known to matter."""

import numpy as np

from glasstape_server.bench.known_truth import Bools
from glasstape_server.domain.values import Floats


def average_precision(strength: Floats, cells: Bools) -> Floats:
    """Area under the precision-recall curve of each map, as a step function, 0-1.

    Equal strengths enter together, so a map that cannot tell cells apart gains nothing by their order.

    Args:
        strength: (n, cell), larger is more important.
        cells: (n, cell), which of them matter; at least one in each row.

    Returns:
        (n,).
    """
    order = np.argsort(-strength, axis=1, kind="stable")
    ranked = np.take_along_axis(strength, order, axis=1)
    hit = np.take_along_axis(cells, order, axis=1)
    found = hit.cumsum(axis=1)
    precision = found / np.arange(1, strength.shape[1] + 1)
    # Every cell of a tie gets the precision at the tie's end.
    last = np.ones(strength.shape, dtype=bool)
    last[:, :-1] = ranked[:, :-1] != ranked[:, 1:]
    end = np.where(last, np.arange(strength.shape[1]), strength.shape[1])
    end = np.minimum.accumulate(end[:, ::-1], axis=1)[:, ::-1]
    at_end = np.take_along_axis(precision, end, axis=1)
    return np.asarray((at_end * hit).sum(axis=1) / cells.sum(axis=1))


def random_level(cells: Bools, random: np.random.Generator, draws: int = 20) -> float:
    """Mean average precision of maps of noise: above the share of cells that matter."""
    scores = [average_precision(random.random(cells.shape), cells).mean() for _ in range(draws)]
    return float(np.mean(scores))


def time_only_ceiling(cells: Bools) -> float:
    """The best mean average precision of any map that is equal across features.

    Args:
        cells: (n, time, feature).
    """
    best = cells.sum(axis=2, keepdims=True).repeat(cells.shape[2], axis=2).astype(np.float64)
    flat = cells.reshape(len(cells), -1)
    return float(average_precision(best.reshape(len(cells), -1), flat).mean())
