"""Walk-forward splits: a model is tested on what came after everything it learnt from.

Lopez de Prado (2018), "Advances in financial machine learning", chapter 7: between what is learnt from
and what is tested on lies a gap as long as a label looks ahead, so that no label is known on both sides.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glasstape_server.domain import Floats, Ints
from glasstape_server.training.dataset import Dataset

LEAST_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class Fold:
    """One step forward in time."""

    training: Dataset
    validation: Dataset
    """The last part before the test: decides when training stops."""
    test: Dataset


def folds(
    everything: Dataset, count: int, bars_ahead: int, tested: float = 0.5, validated: float = 0.15
) -> Iterator[Fold]:
    """Split windows into `count` folds, each learning from all that lies before its test.

    Args:
        everything: windows in order of time.
        count: folds, 1 or more.
        bars_ahead: closes at which a label is not yet known.
        tested: last part of the closes, in equal blocks, that is tested.
        validated: last part of what lies before a test that is not trained on.

    Raises:
        ValueError: too few closes for so many folds.
    """
    closes = np.unique(everything.close_time)
    first = int(len(closes) * (1 - tested))
    edges = np.linspace(first, len(closes), count + 1).astype(int)
    if count < 1 or np.diff(edges).min() <= bars_ahead or first * validated <= 2 * bars_ahead:
        raise ValueError(f"folds: {len(closes)} closes are too few for {count} folds")
    for start, end in itertools.pairwise(edges):
        held = int(start * (1 - validated))
        after = int(closes[end]) if end < len(closes) else int(closes[-1]) + 1
        yield Fold(
            everything.between(0, int(closes[held - bars_ahead])),
            everything.between(int(closes[held]), int(closes[start - bars_ahead])),
            everything.between(int(closes[start]), after),
        )


def mean_with_interval(
    values: Floats, times: Ints, random: np.random.Generator, block: int = 20, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean of values and its 95 % interval, from a bootstrap of blocks of closes.

    Windows of one close move together, and so do closes near each other: whole blocks are drawn.
    Kuensch (1989), "The jackknife and the bootstrap for general stationary observations".

    Args:
        values: one for each window, (n,).
        times: close time of each, (n,).
        random: draws the blocks.
        block: closes in a block.
        draws: bootstrap samples.

    Raises:
        ValueError: fewer than 10 blocks: an interval of so few would be far too narrow.
    """
    _, close = np.unique(times, return_inverse=True)
    total, count = np.bincount(close, values), np.bincount(close)
    if len(total) < LEAST_BLOCKS * block:
        raise ValueError(f"closes: must be {LEAST_BLOCKS * block} or more for an interval, are {len(total)}")
    starts = np.arange(len(total) - block + 1)
    blocks = np.stack([np.convolve(part, np.ones(block), "valid") for part in (total, count)])
    chosen = random.choice(starts, (draws, len(total) // block))
    means = blocks[0][chosen].sum(axis=1) / blocks[1][chosen].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(total.sum() / count.sum()), float(low), float(high)
