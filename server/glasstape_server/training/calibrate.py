"""From logits to confidences that mean what they say, and the figures that go with them."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glasstape_server.domain import Float32s, Floats, Ints
from glasstape_server.models.manifest import Thresholds

KEPT = 0.2
"""Share of validation signals that are not abstained."""


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


def expected_calibration_error(stated: Floats, labels: Ints, bins: int = 15) -> float:
    """Top-label ECE over equally filled bins (Naeini et al. 2015)."""
    confidence = stated.max(axis=1)
    correct = stated.argmax(axis=1) == labels
    groups = np.array_split(np.argsort(confidence, kind="stable"), bins)
    gaps = [abs(confidence[g].mean() - correct[g].mean()) * len(g) for g in groups if len(g)]
    return float(sum(gaps) / len(labels))


def metrics(stated: Floats, labels: Ints, abstain: float) -> dict[str, float]:
    """Quality figures with the base rates they must be held against."""
    correct = stated.argmax(axis=1) == labels
    kept: NDArray[np.bool_] = stated.max(axis=1) >= abstain
    shares = np.bincount(labels, minlength=3) / len(labels)
    found = {
        "accuracy": correct.mean(),
        "base_rate": shares.max(),
        "kept_accuracy": correct[kept].mean() if kept.any() else 0.0,
        "kept_share": kept.mean(),
        "log_loss": log_loss(stated, labels),
        "prior_log_loss": -(shares * np.log(shares)).sum(),
        "brier": ((stated - np.eye(3)[labels]) ** 2).sum(axis=1).mean(),
        "ece": expected_calibration_error(stated, labels),
        "up_base_rate": shares[2],
    }
    return {name: _rounded(value) for name, value in found.items()}


def novelty_statistics(training: Float32s, validation: Float32s) -> tuple[Tensor, Tensor, Tensor]:
    """Centre, inverse covariance and validation quantiles of the Mahalanobis distance.

    The covariance is shrunk towards its mean variance (Ledoit and Wolf 2004, eq. 14), so that it can
    be inverted whatever the data.

    Args:
        training: normalised windows (n, time, feature).
        validation: the same of the validation part.
    """
    flat = training.reshape(len(training), -1).astype(np.float64)
    centre = flat.mean(axis=0)
    offset = flat - centre
    size = flat.shape[1]
    covariance = offset.T @ offset / len(flat)
    target = np.trace(covariance) / size
    distance = ((covariance - target * np.eye(size)) ** 2).sum() / size
    spread = ((offset**2).sum(axis=1) ** 2).sum() / len(flat) ** 2 / size
    spread -= (covariance**2).sum() / len(flat) / size
    shrinkage = min(1.0, max(spread / max(distance, 1e-300), 1e-6))
    precision = np.linalg.inv((1 - shrinkage) * covariance + shrinkage * max(target, 1e-12) * np.eye(size))
    other = validation.reshape(len(validation), -1) - centre
    far = np.sqrt(np.einsum("ni,ij,nj->n", other, precision, other, optimize=True))
    quantiles = np.maximum.accumulate(np.quantile(far, np.linspace(0, 1, 101)))
    return tuple(torch.tensor(part, dtype=torch.float32) for part in (centre, precision, quantiles))  # type: ignore[return-value]


def _rounded(value: float | np.floating) -> float:
    return round(float(value), 6)
