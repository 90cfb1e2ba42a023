"""Simulated ECE of perfectly calibrated predictions.

Outcomes of one day are clustered (non-independent), so that the ECE of even true probabilities is well above 0.
Outcomes are simulated from the predicted probabilities, with the common factor per day that the real outcomes have (a
one-factor Gaussian copula, Li 2000, "On default correlation"). A real ECE within the range of the simulated ones is no
evidence of miscalibration.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from glasstape_server.domain.arrays import Floats, Ints
from glasstape_server.domain.statistics import IntervalEstimate, equal_mass_bins
from glasstape_server.evaluation.metrics import LabeledPredictions
from glasstape_server.training.calibrate import BINS

SIMULATIONS = 100
REFERENCE_FACTOR = 0.2
"""Known correlation of simulated outcomes, from which the attenuation by the classes is estimated."""


def ece_if_calibrated(predicted: LabeledPredictions, day: Ints, seed: int = 0) -> IntervalEstimate:
    """Return the mean ECE of simulated, perfectly calibrated outcomes, with its 95 % range.

    Args:
        predicted: probabilities, and the realized classes, from which the clustering by day is estimated.
        day: number of each window's day, (n,).
        seed: of the simulation.
    """
    random = np.random.default_rng(seed)
    factor = common_factor(predicted, day, random)
    winner, confidence = predicted.winner, predicted.probabilities.max(axis=1)
    number = equal_mass_bins(confidence, BINS)
    expected = np.bincount(number, confidence, BINS)
    errors = []
    for _ in range(SIMULATIONS):
        drawn = _outcomes(predicted.probabilities, day, factor, random)
        errors.append(np.abs(expected - np.bincount(number, drawn == winner, BINS)).sum() / len(day))
    low, high = np.quantile(errors, [0.025, 0.975])
    return IntervalEstimate(float(np.mean(errors)), float(low), float(high))


def common_factor(predicted: LabeledPredictions, day: Ints, random: np.random.Generator) -> float:
    """Estimate the correlation of the latent normal scores of two windows of one day, 0-0.99.

    Classes are a coarse observation of the scores, which attenuates the correlation. The attenuation is estimated from
    outcomes with a known correlation.

    Args:
        predicted: probabilities and realized classes.
        day: number of each window's day, (n,).
        random: generator of the simulation.
    """
    observed = _correlation(predicted.probabilities, predicted.labels, day, random)
    simulated = _outcomes(predicted.probabilities, day, REFERENCE_FACTOR, random)
    attenuation = _correlation(predicted.probabilities, simulated, day, random) / REFERENCE_FACTOR
    return float(np.clip(observed / attenuation, 0, 0.99)) if attenuation > 0 else 0.0


def _outcomes(probabilities: Floats, day: Ints, factor: float, random: np.random.Generator) -> Ints:
    """Draw classes (n,) with the given probabilities (n, 3) and a common factor per day."""
    shared = random.standard_normal(day.max() + 1)[day]
    uniform = ndtr(np.sqrt(factor) * shared + np.sqrt(1 - factor) * random.standard_normal(len(day)))
    return np.asarray((uniform[:, None] > np.cumsum(probabilities, axis=1)[:, :2]).sum(axis=1))


def _correlation(probabilities: Floats, labels: Ints, day: Ints, random: np.random.Generator) -> float:
    """Return the correlation of the randomized normal scores of two windows of one day."""
    rows = np.arange(len(day))
    upper = np.cumsum(probabilities, axis=1)[rows, labels]
    lower = upper - probabilities[rows, labels]
    uniform = lower + random.random(len(day)) * (upper - lower)
    score = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
    score = (score - score.mean()) / score.std()
    counts, sums, squares = (np.bincount(day, values) for values in (np.ones(len(day)), score, score**2))
    pairs = float((counts * (counts - 1)).sum())
    return float((sums**2 - squares).sum()) / pairs if pairs else 0.0
