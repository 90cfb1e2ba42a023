"""Conformal prediction sets and their realized coverage.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019 for the least ambiguous
sets), with thresholds fitted on validation windows. Coverage is guaranteed for exchangeable data only, which market
data is not. Near chance level almost every set contains all classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.evaluation.candidates import FoldResult

NOMINAL = (0.5, 0.8, 0.9)
"""Nominal coverages, 0-1."""


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """Prediction sets of one nominal coverage."""

    nominal: float
    realized: float
    """Share of sets that contain the realized class."""
    size: float
    """Mean number of classes in a set."""
    full: float
    """Share of sets with all three classes."""
    empty: float
    """Share of empty sets."""


def coverages(results: Sequence[FoldResult]) -> tuple[SetCoverage, ...]:
    """Return the coverage of sets of all test windows, each with the threshold of its fold."""
    return tuple(_coverage(results, nominal) for nominal in NOMINAL)


def _coverage(results: Sequence[FoldResult], nominal: float) -> SetCoverage:
    sets = [result.probabilities >= _threshold(result, nominal) for result in results]
    contains = [each[np.arange(len(each)), r.labels] for each, r in zip(sets, results, strict=True)]
    size = np.concatenate(sets).sum(axis=1)
    return SetCoverage(
        nominal,
        float(np.concatenate(contains).mean()),
        float(size.mean()),
        float((size == 3).mean()),
        float((size == 0).mean()),
    )


def _threshold(result: FoldResult, nominal: float) -> float:
    rows = np.arange(len(result.validation_labels))
    scores = np.sort(result.validation_probabilities[rows, result.validation_labels])[::-1]
    rank = min(len(scores), int(np.ceil((len(scores) + 1) * nominal)))
    return float(scores[rank - 1])
