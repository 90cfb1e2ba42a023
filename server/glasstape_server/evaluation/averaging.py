"""Ensembles of candidates of an evaluation: the average of their logits, calibrated as a model of its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.statistics import softmax
from glasstape_server.evaluation.candidates import FoldResult
from glasstape_server.training import calibrate


def averaged(name: str, members: Sequence[FoldResult]) -> FoldResult:
    """Return the predictions of an ensemble on one fold.

    Args:
        name: of the ensemble.
        members: results of its members on that fold.

    Raises:
        ValueError: a member predicts classes only, or belongs to another fold.
    """
    first = members[0]
    if unfit := [m.task.candidate for m in members if not m.probabilistic or m.task.fold != first.task.fold]:
        raise ValueError(f"{name}: must average probabilities of one fold, has {', '.join(unfit)}")
    validation = _mean([(m.validation_probabilities, m.temperature) for m in members])
    temperature = calibrate.fit_temperature(validation, first.validation_labels)
    validated = softmax(validation, temperature)
    tested = softmax(_mean([(m.probabilities, m.temperature) for m in members]), temperature)
    return replace(
        first,
        task=replace(first.task, candidate=name, seed=0),
        probabilities=tested.astype(np.float32),
        validation_probabilities=validated.astype(np.float32),
        temperature=temperature,
        threshold=calibrate.thresholds(validated, first.validation_labels).abstain,
        maps=None,
        rank_scores=None,
    )


def logits_of(probabilities: Float32s, temperature: float) -> Floats:
    """Return logits, (n, 3), up to a constant of each row, from probabilities that were calibrated by a temperature."""
    return np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) * temperature


def _mean(parts: Sequence[tuple[Float32s, float]]) -> Floats:
    """Return the mean of logits; the constants of the rows stay constants of the rows."""
    return np.asarray(sum(logits_of(*part) for part in parts) / len(parts))
