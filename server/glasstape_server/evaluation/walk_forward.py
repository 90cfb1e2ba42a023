"""Walk-forward splits: test windows are later than all training and validation windows.

Lopez de Prado (2018), "Advances in financial machine learning", chapter 7: every outcome of a part is known before the
next part begins, by the bars of its own symbol. On bars without gaps this leaves a gap as long as a label looks ahead.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glasstape_server.training.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Fold:
    """One step forward in time. Held-out symbols are only in the test windows."""

    training: Dataset
    validation: Dataset
    """Windows between training and test, for early stopping, temperature and abstention threshold."""
    test: Dataset


def folds(
    data: Dataset,
    count: int,
    bars_ahead: int,
    test_share: float = 0.5,
    validation_share: float = 0.15,
    rolling: int = 0,
    hold_out: bool = True,
) -> Iterator[Fold]:
    """Split windows into folds, each with all earlier windows for training and validation, or the latest of them.

    Args:
        data: labeled windows.
        count: number of folds, 1 or more.
        bars_ahead: bars that a label looks ahead.
        test_share: last share of the closes, which is split into the test parts of all folds, 0-1.
        validation_share: last share of the closes before a test part, which is for validation, 0-1.
        rolling: time before the first validation close from which training windows are taken, microseconds; 0: all
            earlier windows (expanding).
        hold_out: whether symbols that are held out of training are in test windows only.

    Raises:
        ValueError: too few closes for the number of folds, or every symbol is held out.
    """
    closes = np.unique(data.close_time)
    first = int(len(closes) * (1 - test_share))
    edges = np.linspace(first, len(closes), count + 1).astype(int)
    if count < 1 or np.diff(edges).min() <= bars_ahead or first * validation_share <= 2 * bars_ahead:
        raise ValueError(f"folds: {len(closes)} closes are too few for {count} folds")
    trainable = data.select(~data.held_out_mask()) if hold_out else data
    if not len(trainable):
        raise ValueError(f"data: all symbols are held out ({', '.join(data.symbols[:5])}); add more")
    for start, end in itertools.pairwise(edges):
        held = int(closes[int(start * (1 - validation_share))])
        after = int(closes[end]) if end < len(closes) else int(closes[-1]) + 1
        yield Fold(
            trainable.known_between(held - rolling if rolling else 0, held),
            trainable.known_between(held, int(closes[start])),
            data.between(int(closes[start]), after),
        )
