"""Walk-forward splits: a model is tested on what came after everything it learnt from.

Lopez de Prado (2018), "Advances in financial machine learning", chapter 7: of what is learnt from, every outcome
is known before the next part begins, by the symbol's own bars. On bars without gaps that leaves a gap as long as
a label looks ahead.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glasstape_server.training.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Fold:
    """One step forward in time. Symbols that are held out are in the test alone."""

    training: Dataset
    validation: Dataset
    """The last part before the test: decides when training stops, temperature and abstention."""
    test: Dataset


def folds(
    everything: Dataset, count: int, bars_ahead: int, tested: float = 0.5, validated: float = 0.15
) -> Iterator[Fold]:
    """Split windows into `count` folds, each learning from all that lies before its test.

    Args:
        everything: windows in order of time.
        count: folds, 1 or more.
        bars_ahead: bars that a label looks ahead.
        tested: last part of the closes, in equal blocks, that is tested.
        validated: last part of what lies before a test that is not trained on.

    Raises:
        ValueError: too few closes for so many folds, or every symbol is held out.
    """
    closes = np.unique(everything.close_time)
    first = int(len(closes) * (1 - tested))
    edges = np.linspace(first, len(closes), count + 1).astype(int)
    if count < 1 or np.diff(edges).min() <= bars_ahead or first * validated <= 2 * bars_ahead:
        raise ValueError(f"folds: {len(closes)} closes are too few for {count} folds")
    learnt = everything.chosen(~everything.never_trained())
    if not len(learnt):
        raise ValueError(f"data: {', '.join(everything.symbols[:5])}: every symbol is one that is held out")
    for start, end in itertools.pairwise(edges):
        held = int(start * (1 - validated))
        after = int(closes[end]) if end < len(closes) else int(closes[-1]) + 1
        yield Fold(
            learnt.known_between(0, int(closes[held])),
            learnt.known_between(int(closes[held]), int(closes[start])),
            everything.between(int(closes[start]), after),
        )
