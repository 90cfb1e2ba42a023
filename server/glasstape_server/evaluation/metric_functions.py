"""Metrics as functions of sums over days, so that they can be recomputed from resampled days."""

from collections.abc import Callable

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.signals import Direction
from glasstape_server.training.calibrate import BINS

CONFUSION = slice(0, 9)
"""Columns of the sums: counts by realized and predicted class."""
CELL = {(realized, predicted): 3 * realized + predicted for realized in Direction for predicted in Direction}
"""Column of each cell of the confusion matrix."""
LOSS, FLAT_GAIN, DIRECTION_GAIN, BRIER, BASE_HITS = 9, 10, 11, 12, 13
COUNTS, CONFIDENCE, CORRECT = (slice(14 + BINS * n, 14 + BINS * (n + 1)) for n in range(3))
WIDTH = 14 + 3 * BINS


def _confusion(sums: Floats) -> Floats:
    """Return confusion matrices, (sample, realized, predicted)."""
    return np.asarray(sums[:, CONFUSION].reshape(-1, 3, 3))


def _count(sums: Floats) -> Floats:
    return np.asarray(sums[:, CONFUSION].sum(axis=1))


def accuracy(sums: Floats) -> Floats:
    """Return the share of correct predictions, (sample,), of sums (sample, column)."""
    return np.asarray(np.trace(_confusion(sums), axis1=1, axis2=2) / _count(sums))


def base_rate(sums: Floats) -> Floats:
    """Return the accuracy of the most frequent training class, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, BASE_HITS] / _count(sums))


def accuracy_gain(sums: Floats) -> Floats:
    """Return accuracy minus base rate, (sample,), of sums (sample, column)."""
    return accuracy(sums) - base_rate(sums)


def macro_f1(sums: Floats) -> Floats:
    """Return the unweighted mean F1 of the classes, (sample,), of sums (sample, column).

    The F1 of a class that is neither predicted nor realized is 0.
    """
    cells = _confusion(sums)
    hits = np.diagonal(cells, axis1=1, axis2=2)
    both = cells.sum(axis=1) + cells.sum(axis=2)
    return np.asarray((2 * hits / np.maximum(both, 1)).mean(axis=1))


def mcc(sums: Floats) -> Floats:
    """Return the Matthews correlation of three classes (Gorodkin 2004, R_K), (sample,), of sums (sample, column).

    It is 0 for constant predictions.
    """
    cells = _confusion(sums)
    total, hits = cells.sum(axis=(1, 2)), np.trace(cells, axis1=1, axis2=2)
    realized, predicted = cells.sum(axis=2), cells.sum(axis=1)
    shared = hits * total - (realized * predicted).sum(axis=1)
    spread = np.sqrt((total**2 - (predicted**2).sum(axis=1)) * (total**2 - (realized**2).sum(axis=1)))
    return np.asarray(np.where(spread > 0, shared / np.maximum(spread, 1e-300), 0.0))


def log_loss(sums: Floats) -> Floats:
    """Return the mean negative log probability of the realized class, nats, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, LOSS] / _count(sums))


def log_loss_gain(sums: Floats) -> Floats:
    """Return the log loss of the prior minus that of the candidate, nats, (sample,), of sums (sample, column)."""
    return flat_gain(sums) + direction_gain(sums)


def flat_gain(sums: Floats) -> Floats:
    """Return the part of the log loss gain from whether a bar moved, nats, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, FLAT_GAIN] / _count(sums))


def direction_gain(sums: Floats) -> Floats:
    """Return the part of the log loss gain from which way it went, nats, (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, DIRECTION_GAIN] / _count(sums))


def hits(sums: Floats) -> Floats:
    """Return the number of UP and DOWN calls whose direction came, (sample,)."""
    return np.asarray(
        sums[:, CELL[Direction.UP, Direction.UP]] + sums[:, CELL[Direction.DOWN, Direction.DOWN]]
    )


def opposites(sums: Floats) -> Floats:
    """Return the number of UP and DOWN calls whose opposite came, (sample,)."""
    return np.asarray(
        sums[:, CELL[Direction.UP, Direction.DOWN]] + sums[:, CELL[Direction.DOWN, Direction.UP]]
    )


def moved(sums: Floats) -> Floats:
    """Return the number of UP and DOWN calls that did not end FLAT, (sample,), of sums (sample, column)."""
    return hits(sums) + opposites(sums)


def calls(sums: Floats) -> Floats:
    """Return the number of UP and DOWN calls, (sample,), of sums (sample, column)."""
    return (
        moved(sums)
        + sums[:, CELL[Direction.FLAT, Direction.UP]]
        + sums[:, CELL[Direction.FLAT, Direction.DOWN]]
    )


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, (sample,); NaN where the whole is 0."""
    return np.asarray(np.where(whole > 0, part / np.maximum(whole, 1), np.nan))


def hit_rate(sums: Floats) -> Floats:
    """Return the share of UP and DOWN calls that were right, (sample,), of sums (sample, column)."""
    return _ratio(hits(sums), calls(sums))


def call_base_rate(sums: Floats) -> Floats:
    """Return (hits + opposites) / (2 calls): the hit rate without knowledge of the direction, (sample,).

    Args:
        sums: of each sample, (sample, column).
    """
    return _ratio(moved(sums) / 2, calls(sums))


def edge(sums: Floats) -> Floats:
    """Return (hits - opposites) / calls, -1 to 1, (sample,), of sums (sample, column)."""
    return _ratio(hits(sums) - opposites(sums), calls(sums))


def moved_hit_rate(sums: Floats) -> Floats:
    """Return the share of right calls among those that moved, (sample,), of sums (sample, column)."""
    return _ratio(hits(sums), moved(sums))


def brier(sums: Floats) -> Floats:
    """Return the mean squared error of probabilities, 0-2 (Brier 1950), (sample,), of sums (sample, column)."""
    return np.asarray(sums[:, BRIER] / _count(sums))


def calibration_error(sums: Floats) -> Floats:
    """Return the top-label ECE in 15 equal-count bins, 0-1, (sample,), of sums (sample, column)."""
    return np.asarray(
        np.abs(sums[:, CONFIDENCE] - sums[:, CORRECT]).sum(axis=1) / sums[:, COUNTS].sum(axis=1)
    )


METRICS: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": accuracy,
    "base_rate": base_rate,
    "accuracy_gain": accuracy_gain,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "log_loss": log_loss,
    "log_loss_gain": log_loss_gain,
    "flat_gain": flat_gain,
    "direction_gain": direction_gain,
    "brier": brier,
    "ece": calibration_error,
    "hit_rate": hit_rate,
    "call_base_rate": call_base_rate,
    "edge": edge,
    "moved_hit_rate": moved_hit_rate,
}
CALL_METRICS = ("hit_rate", "call_base_rate", "edge", "moved_hit_rate")
"""Metrics that need an UP or DOWN call."""
CLASS_METRICS = ("accuracy", "base_rate", "accuracy_gain", "macro_f1", "mcc", *CALL_METRICS)
"""Metrics that do not need probabilities."""
