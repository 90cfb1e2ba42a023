"""From logits to confidences that mean what they say, and the figures that go with them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glasstape_server.domain.values import Direction, Floats, Ints
from glasstape_server.models.manifest import Reliability, Thresholds
from glasstape_server.training.examples import Examples, batches_of

KEPT = 0.2
"""Share of validation signals that are not abstained."""
BINS = 15
"""Bins of a reliability diagram and of the errors computed from it."""


def probabilities(logits: Floats, temperature: float) -> Floats:
    """Softmax of logits (n, 3) divided by the temperature."""
    scaled = logits / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def log_loss(stated: Floats, labels: Ints) -> float:
    """Mean negative log probability of what happened, in nats."""
    return float(log_loss_of_each(stated, labels).mean())


def log_loss_of_each(stated: Floats, labels: Ints) -> Floats:
    """Negative log probability of what happened, (n,), in nats."""
    return np.asarray(-np.log(np.maximum(stated[np.arange(len(labels)), labels], 1e-300)))


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The temperature with the least log loss (Guo et al. 2017, section 4.2), within 0.05 .. 20.

    The loss is convex in 1 / temperature, so golden-section search on its logarithm finds it.
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if log_loss(probabilities(logits, np.exp(left)), labels) < log_loss(
            probabilities(logits, np.exp(right)), labels
        ):
            high = right
        else:
            low = left
    return round(float(np.exp((low + high) / 2)), 6)


def thresholds(stated: Floats, labels: Ints) -> Thresholds:
    """Abstention, colour ramp and alert level from validation probabilities (n, 3)."""
    up = stated[:, 2]
    base = float((labels == 2).mean())
    return Thresholds(
        abstain=_rounded(np.quantile(stated.max(axis=1), 1 - KEPT)),
        buy_ramp_low=_rounded(base),
        buy_ramp_high=_rounded(max(np.quantile(up, 0.99), base + 0.10)),
        alert=_rounded(np.quantile(up, 0.95)),
    )


def equal_mass_bins(values: Floats, bins: int = BINS) -> Ints:
    """The bin, 0 .. bins - 1, of each value (n,), so that all bins hold about as many; equal values share one."""
    return np.asarray(np.searchsorted(np.sort(values), values) * bins // len(values))


def reliability(stated: Floats, happened: NDArray[np.bool_] | Floats) -> tuple[Reliability, ...]:
    """Points of the reliability diagram: what was said against what came, in bins of equal mass.

    Args:
        stated: probabilities, (n,).
        happened: whether it came, (n,).
    """
    number = equal_mass_bins(stated)
    counts = np.bincount(number, minlength=BINS)
    said, came = (np.bincount(number, values, BINS) / np.maximum(counts, 1) for values in (stated, happened))
    return tuple(
        Reliability(stated=_rounded(said[i]), realised=_rounded(came[i]), count=int(counts[i]))
        for i in counts.nonzero()[0]
    )


def calibration_error(points: Sequence[Reliability]) -> float:
    """ECE over equally filled bins (Naeini et al. 2015)."""
    total = sum(point.count for point in points)
    return sum(abs(point.stated - point.realised) * point.count for point in points) / total


def expected_calibration_error(stated: Floats, labels: Ints) -> float:
    """Top-label ECE of probabilities (n, 3) (Guo et al. 2017, eq. 3)."""
    return calibration_error(reliability(stated.max(axis=1), stated.argmax(axis=1) == labels))


def classwise_calibration_error(stated: Floats, labels: Ints) -> float:
    """Mean over the classes of their ECE (Kull et al. 2019, eq. 4)."""
    return float(
        np.mean([calibration_error(reliability(stated[:, c], labels == c)) for c in range(stated.shape[1])])
    )


def metrics(stated: Floats, labels: Ints, abstain: float) -> dict[str, float]:
    """Quality figures with the base rates they must be held against."""
    winner = stated.argmax(axis=1)
    correct = winner == labels
    kept: NDArray[np.bool_] = stated.max(axis=1) >= abstain
    calls = kept & (winner != Direction.FLAT)
    shares = np.bincount(labels, minlength=3) / len(labels)
    found = {
        "accuracy": correct.mean(),
        "base_rate": shares.max(),
        "kept_accuracy": correct[kept].mean() if kept.any() else 0.0,
        "kept_share": kept.mean(),
        "kept_hit_rate": correct[calls].mean() if calls.any() else 0.0,
        "kept_calls": calls.mean(),
        "log_loss": log_loss(stated, labels),
        "prior_log_loss": -(shares * np.log(np.maximum(shares, 1e-300))).sum(),
        "brier": ((stated - np.eye(3)[labels]) ** 2).sum(axis=1).mean(),
        "ece": expected_calibration_error(stated, labels),
        "classwise_ece": classwise_calibration_error(stated, labels),
        "up_base_rate": shares[2],
    }
    return {name: _rounded(value) for name, value in found.items()}


def novelty_statistics(training: Examples, validation: Examples) -> tuple[Tensor, Tensor, Tensor]:
    """Centre, inverse covariance and validation quantiles of the Mahalanobis distance.

    The covariance is shrunk towards its mean variance (Ledoit and Wolf 2004, eq. 14), so that it can
    be inverted whatever the data.

    Args:
        training: normalised windows.
        validation: the same of the validation part.
    """
    count = len(training)
    centre = sum(part.sum(axis=0) for part in _flat(training)) / count
    size = len(centre)
    covariance, fourth = np.zeros((size, size)), 0.0
    for part in _flat(training):
        offset = part - centre
        covariance += offset.T @ offset / count
        fourth += float(((offset**2).sum(axis=1) ** 2).sum())
    target = np.trace(covariance) / size
    distance = ((covariance - target * np.eye(size)) ** 2).sum() / size
    spread = fourth / count**2 / size - (covariance**2).sum() / count / size
    shrinkage = min(1.0, max(spread / max(distance, 1e-300), 1e-6))
    precision = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * max(target, 1e-12) * np.eye(size))
    far = np.concatenate([_distance(part - centre, precision) for part in _flat(validation)])
    quantiles = np.maximum.accumulate(np.quantile(far, np.linspace(0, 1, 101)))
    return tuple(torch.tensor(part, dtype=torch.float32) for part in (centre, precision, quantiles))  # type: ignore[return-value]


def _flat(data: Examples) -> Iterator[Floats]:
    return (windows.flatten(1).double().numpy() for windows, _ in batches_of(data, 1 << 15))


def _distance(offset: Floats, precision: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("ni,ni->n", offset @ precision, offset)))


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 6)
