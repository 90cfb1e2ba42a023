"""Prediction sets, and how often they really held what came.

Split conformal prediction (Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019 for the least
ambiguous sets): thresholds from validation, so that sets would hold the truth with the wanted probability if
tomorrow were like yesterday. Markets do not promise that, so nothing is guaranteed here: the table says what was
realised. Near chance almost every set holds every class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glasstape_server.evaluation.candidates import Answer

WANTED = (0.5, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Sets of one wanted probability."""

    wanted: float
    realised: float
    """Share of sets that held what came."""
    size: float
    """Classes in a set, on average."""
    full: float
    """Share of sets that hold all three."""
    empty: float


def coverages(answers: Sequence[Answer]) -> tuple[Coverage, ...]:
    """Sets of all test windows, each with the threshold of its own fold's validation."""
    return tuple(_coverage(answers, wanted) for wanted in WANTED)


def _coverage(answers: Sequence[Answer], wanted: float) -> Coverage:
    sets = [answer.stated >= _threshold(answer, wanted) for answer in answers]
    held = [made[np.arange(len(made)), a.labels] for made, a in zip(sets, answers, strict=True)]
    size = np.concatenate(sets).sum(axis=1)
    return Coverage(
        wanted,
        float(np.concatenate(held).mean()),
        float(size.mean()),
        float((size == 3).mean()),
        float((size == 0).mean()),
    )


def _threshold(answer: Answer, wanted: float) -> float:
    said = np.sort(answer.validation[np.arange(len(answer.validation_labels)), answer.validation_labels])[
        ::-1
    ]
    place = min(len(said), int(np.ceil((len(said) + 1) * wanted)))
    return float(said[place - 1])
