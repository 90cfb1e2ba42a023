"""How large an ECE looks although the confidences are perfectly calibrated.

Symbols of one day move together, so that even true probabilities miss in clusters. Labels are drawn from the
stated probabilities themselves, with the day's common factor that the real outcomes show (a one-factor
Gaussian copula, Li 2000, "On default correlation"); the ECE of these is the yardstick for the real one.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from glasstape_server.domain.statistics import equal_mass_bins
from glasstape_server.domain.values import Floats, Ints
from glasstape_server.evaluation.figures import Estimate, Predicted
from glasstape_server.training.calibrate import BINS

SIMULATIONS = 100
TRIED = 0.2
"""Correlation that outcomes are given to see how much of it shows."""


def calibrated_ece(predicted: Predicted, day: Ints, seed: int = 0) -> Estimate:
    """Mean ECE of perfectly calibrated outcomes, and where 95 % of its simulations lie.

    Args:
        predicted: probabilities, and the outcomes that show how much a day hangs together.
        day: number of each window's day, (n,).
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    factor = common_factor(predicted, day, random)
    winner, confidence = predicted.winner, predicted.stated.max(axis=1)
    number = equal_mass_bins(confidence, BINS)
    said = np.bincount(number, confidence, BINS)
    errors = []
    for _ in range(SIMULATIONS):
        drawn = _outcomes(predicted.stated, day, factor, random)
        errors.append(np.abs(said - np.bincount(number, drawn == winner, BINS)).sum() / len(day))
    low, high = np.quantile(errors, [0.025, 0.975])
    return Estimate(float(np.mean(errors)), float(low), float(high))


def common_factor(predicted: Predicted, day: Ints, random: np.random.Generator) -> float:
    """Correlation of two windows of one day, 0-0.99, of the normal scores behind their outcomes.

    Classes show a score coarsely, so that what can be seen of the correlation is less than it is: outcomes of a
    known correlation say how much less.
    """
    seen = _seen(predicted.stated, predicted.labels, day, random)
    tried = _outcomes(predicted.stated, day, TRIED, random)
    kept = _seen(predicted.stated, tried, day, random) / TRIED
    return float(np.clip(seen / kept, 0, 0.99)) if kept > 0 else 0.0


def _outcomes(stated: Floats, day: Ints, factor: float, random: np.random.Generator) -> Ints:
    """Classes (n,) that keep every stated probability and share a factor of their day."""
    shared = random.standard_normal(day.max() + 1)[day]
    uniform = ndtr(np.sqrt(factor) * shared + np.sqrt(1 - factor) * random.standard_normal(len(day)))
    return np.asarray((uniform[:, None] > np.cumsum(stated, axis=1)[:, :2]).sum(axis=1))


def _seen(stated: Floats, labels: Ints, day: Ints, random: np.random.Generator) -> float:
    """Correlation of two windows of one day of their randomised normal scores."""
    rows = np.arange(len(day))
    upper = np.cumsum(stated, axis=1)[rows, labels]
    lower = upper - stated[rows, labels]
    uniform = lower + random.random(len(day)) * (upper - lower)
    score = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
    score = (score - score.mean()) / score.std()
    counts, sums, squares = (np.bincount(day, values) for values in (np.ones(len(day)), score, score**2))
    pairs = float((counts * (counts - 1)).sum())
    return float((sums**2 - squares).sum()) / pairs if pairs else 0.0
