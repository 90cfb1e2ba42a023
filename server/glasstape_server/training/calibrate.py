"""Calibration of logits, and the metrics of calibrated probabilities."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.signals import Direction
from glasstape_server.domain.skill import call_record, skill_split
from glasstape_server.domain.statistics import equal_mass_bins, softmax
from glasstape_server.models.manifest import Reliability, Thresholds
from glasstape_server.training.examples import Examples, batches_of

KEPT = 0.2
"""Share of validation signals that are not abstained."""
BINS = 15
"""Bins of a reliability diagram and of the errors computed from it."""


def log_loss(stated: Floats, labels: Ints) -> float:
    """Return the mean negative log probability of the realized class, in nats.

    Args:
        stated: probabilities, (n, 3).
        labels: class indices, (n,).
    """
    return float(log_loss_of_each(stated, labels).mean())


def log_loss_of_each(stated: Floats, labels: Ints) -> Floats:
    """Return the negative log probability of each realized class, (n,), in nats.

    Args:
        stated: probabilities, (n, 3).
        labels: class indices, (n,).
    """
    return np.asarray(-np.log(np.maximum(stated[np.arange(len(labels)), labels], 1e-300)))


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017, section 4.2), within 0.05 .. 20.

    The loss is convex in 1 / temperature, so it has one minimum over the temperature's logarithm, too.

    Args:
        logits: (n, 3).
        labels: class indices, (n,).
    """
    least = minimize_scalar(
        lambda log_temperature: log_loss(softmax(logits, np.exp(log_temperature)), labels),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return round(float(np.exp(least.x)), 6)


def thresholds(stated: Floats, labels: Ints) -> Thresholds:
    """Return levels for abstention, color ramp and alerts.

    Args:
        stated: validation probabilities, (n, 3).
        labels: class indices, (n,).
    """
    up = stated[:, 2]
    base = float((labels == 2).mean())
    return Thresholds(
        abstain=_rounded(np.quantile(stated.max(axis=1), 1 - KEPT)),
        buy_ramp_low=_rounded(base),
        buy_ramp_high=_rounded(max(np.quantile(up, 0.99), base + 0.10)),
        alert=_rounded(np.quantile(up, 0.95)),
    )


def reliability(stated: Floats, happened: NDArray[np.bool_] | Floats) -> tuple[Reliability, ...]:
    """Return the points of the reliability diagram, in equal-count bins.

    Args:
        stated: probabilities, (n,).
        happened: whether the event occurred, (n,).
    """
    number = equal_mass_bins(stated, BINS)
    counts = np.bincount(number, minlength=BINS)
    means, shares = (
        np.bincount(number, values, BINS) / np.maximum(counts, 1) for values in (stated, happened)
    )
    return tuple(
        Reliability(stated=_rounded(means[i]), realized=_rounded(shares[i]), count=int(counts[i]))
        for i in counts.nonzero()[0]
    )


def calibration_error(points: Sequence[Reliability]) -> float:
    """Return the expected calibration error over equal-count bins (Naeini et al. 2015)."""
    total = sum(point.count for point in points)
    return sum(abs(point.stated - point.realized) * point.count for point in points) / total


def expected_calibration_error(stated: Floats, labels: Ints) -> float:
    """Return the top-label calibration error of probabilities (n, 3) (Guo et al. 2017, eq. 3).

    Args:
        stated: probabilities, (n, 3).
        labels: class indices, (n,).
    """
    return calibration_error(reliability(stated.max(axis=1), stated.argmax(axis=1) == labels))


def classwise_calibration_error(stated: Floats, labels: Ints) -> float:
    """Return the mean over the classes of their calibration errors (Kull et al. 2019, eq. 4).

    Args:
        stated: probabilities, (n, 3).
        labels: class indices, (n,).
    """
    return float(
        np.mean([calibration_error(reliability(stated[:, c], labels == c)) for c in range(stated.shape[1])])
    )


def metrics(stated: Floats, labels: Ints, abstain: float, prior: Floats) -> dict[str, float]:
    """Return quality metrics and the base rates to compare them with.

    Args:
        stated: calibrated probabilities, (n, 3).
        labels: class indices, (n,).
        abstain: winning probability below which a signal is abstained.
        prior: class shares of all training windows, (3,).
    """
    winner = stated.argmax(axis=1)
    correct = winner == labels
    kept: NDArray[np.bool_] = stated.max(axis=1) >= abstain
    calls = winner != Direction.FLAT
    kept_calls = kept & calls
    values = {
        "accuracy": correct.mean(),
        "base_rate": (labels == prior.argmax()).mean(),
        "kept_accuracy": correct[kept].mean() if kept.any() else 0.0,
        "kept_share": kept.mean(),
        "kept_hit_rate": correct[kept_calls].mean() if kept_calls.any() else 0.0,
        "kept_calls": kept_calls.mean(),
        "calls": calls.mean(),
        "log_loss": log_loss(stated, labels),
        "prior_log_loss": log_loss(np.broadcast_to(prior, stated.shape), labels),
        "brier": ((stated - np.eye(3)[labels]) ** 2).sum(axis=1).mean(),
        "ece": expected_calibration_error(stated, labels),
        "classwise_ece": classwise_calibration_error(stated, labels),
        "up_base_rate": (labels == Direction.UP).mean(),
    }
    return {name: _rounded(value) for name, value in values.items()}


def skill_metrics(stated: Floats, labels: Ints, prior: Floats, cluster: Ints) -> dict[str, float]:
    """Return the log loss gain against the prior in its two parts and the figures of UP and DOWN calls.

    Each has its 95 % interval, NAME_low to NAME_high. The log loss gain and its parts are not rounded, so that they add
    up. Figures without two sessions, and those of calls without a call, are left out.

    Args:
        stated: calibrated probabilities, (n, 3).
        labels: class indices, (n,).
        prior: class shares of all training windows, (3,).
        cluster: number of each window's cluster, (n,).
    """
    split = skill_split(stated, labels, prior, cluster)
    if split is None:
        return {}
    calls = call_record(stated.argmax(axis=1), labels, cluster)
    values = {
        "log_loss_gain": split.log_loss_saved,
        "flat_gain": split.flat,
        "direction_gain": split.direction,
    }
    values["moved_hit_rate"] = split.moved_hit_rate
    if calls.calls:
        values |= {"hit_rate": calls.hit_rate, "edge": calls.edge}
    figures = {"call_base_rate": _rounded(calls.base_rate)} if calls.calls else {}
    for name, estimate in values.items():
        figures |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return figures


def novelty_statistics(training: Examples, validation: Examples) -> tuple[Tensor, Tensor, Tensor]:
    """Return center, inverse covariance and validation quantiles of the Mahalanobis distance.

    The covariance is shrunk towards its mean variance (Ledoit and Wolf 2004, eq. 14), so that its
    inverse always exists.

    Args:
        training: normalized windows.
        validation: the same of the validation part.

    Returns:
        float32 tensors: center (time x feature,), inverse covariance (time x feature, time x feature) and
        distances at 0 .. 100 % of the validation windows (101,).
    """
    count = len(training)
    center = sum(part.sum(axis=0) for part in _flat(training)) / count
    size = len(center)
    covariance, fourth = np.zeros((size, size)), 0.0
    for part in _flat(training):
        offset = part - center
        covariance += offset.T @ offset / count
        fourth += float(((offset**2).sum(axis=1) ** 2).sum())
    target = np.trace(covariance) / size
    distance = ((covariance - target * np.eye(size)) ** 2).sum() / size
    spread = fourth / count**2 / size - (covariance**2).sum() / count / size
    shrinkage = min(1.0, max(spread / max(distance, 1e-300), 1e-6))
    precision = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * max(target, 1e-12) * np.eye(size))
    far = np.concatenate([_distance(part - center, precision) for part in _flat(validation)])
    quantiles = np.maximum.accumulate(np.quantile(far, np.linspace(0, 1, 101)))
    return tuple(torch.tensor(part, dtype=torch.float32) for part in (center, precision, quantiles))  # type: ignore[return-value]


def _flat(data: Examples) -> Iterator[Floats]:
    return (windows.flatten(1).double().numpy() for windows, _ in batches_of(data, 1 << 15))


def _distance(offset: Floats, precision: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("ni,ni->n", offset @ precision, offset)))


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 6)
