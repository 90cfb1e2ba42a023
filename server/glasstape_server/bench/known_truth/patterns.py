"""Sets of noise in which the cells of a pattern are shifted: blocks and spikes.

Implemented from the formulas of Ismail et al. (2020), "Benchmarking deep learning interpretability in time series
predictions" (blocks), and Queen et al. (2023), "Encoding time-series explanations through self-supervised model
behavior consistency" (FreqShapes).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from glasstape_server.bench.known_truth.noise import Noise
from glasstape_server.bench.known_truth.truth_set import SHIFT, Bools, KnownTruth, Random

SPIKE = 3.5
"""Height of a spike, standard deviations of the noise."""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Equally likely patterns of one class."""

    label: int
    """Class index."""
    shift: float
    """Added to the cells of a pattern."""
    masks: Bools
    """Cells of each pattern, (pattern, time, feature)."""


class PatternSet:
    """Windows of noise in which the cells of one pattern, and no others, are shifted. These cells are salient.

    The classes are equally likely, and so are the patterns of a class in one `Patterns`, and these within a class.
    """

    def __init__(self, patterns: Sequence[Patterns], noise: Noise) -> None:
        """Hold patterns of every class."""
        self._patterns, self._noise = tuple(patterns), noise

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return windows; see `TruthSet.draw`."""
        labels = random.integers(0, 3, n)
        choice = random.random(n)
        shape = self._patterns[0].masks.shape[1:]
        cells = np.zeros((n, *shape), dtype=bool)
        shifts = np.zeros(n, dtype=np.float32)
        for label in range(3):
            of_class = [part for part in self._patterns if part.label == label]
            for i, part in enumerate(of_class):
                rows = np.flatnonzero((labels == label) & (np.floor(choice * len(of_class)) == i))
                cells[rows] = part.masks[random.integers(0, len(part.masks), len(rows))]
                shifts[rows] = part.shift
        windows = self._noise.draw((n, *shape), random)
        windows += cells * shifts[:, None, None]
        return KnownTruth(windows, labels, cells)

    def posterior(self) -> nn.Module:
        """Return the Bayes-optimal classifier; see `TruthSet.posterior`."""
        return PatternPosterior(self._patterns, self._noise)


class PatternPosterior(nn.Module):
    """Bayes-optimal classifier of a `PatternSet`: the likelihood of each class is a mixture over its patterns."""

    def __init__(self, patterns: Sequence[Patterns], noise: Noise) -> None:
        super().__init__()
        self._patterns, self._noise = tuple(patterns), noise
        self._masks = [torch.from_numpy(part.masks) for part in patterns]

    def forward(self, windows: Tensor) -> Tensor:
        """Compute log probabilities (batch, 3), up to a constant of each row, of windows (batch, time, feature)."""
        by_class: list[list[Tensor]] = [[], [], []]
        for part, masks in zip(self._patterns, self._masks, strict=True):
            ratios = self._noise.log_ratios(windows, masks.to(windows.dtype), part.shift)
            by_class[part.label].append(torch.logsumexp(ratios, 1) - np.log(len(masks)))
        logits = [torch.logsumexp(torch.stack(parts, 1), 1) - np.log(len(parts)) for parts in by_class]
        return torch.stack(logits, 1)


def blocks(masks: Bools, shift: float = SHIFT) -> tuple[Patterns, ...]:
    """Return patterns whose cells are shifted down for DOWN, not at all for FLAT, and up for UP.

    Args:
        masks: (pattern, time, feature).
        shift: of a cell.
    """
    return tuple(Patterns(label, shift * (label - 1), masks) for label in range(3))


def block_masks(steps: int, features: int, high: int, wide: int) -> Bools:
    """Return every position of a block, (position, time, feature).

    Args:
        steps: bars of a window.
        features: features of a bar.
        high: bars of the block.
        wide: features of the block.
    """
    top, left = (part.ravel()[:, None, None] for part in np.indices((steps - high + 1, features - wide + 1)))
    time, feature = np.arange(steps)[:, None], np.arange(features)
    return (time >= top) & (time < top + high) & (feature >= left) & (feature < left + wide)


def center_mask(steps: int, features: int, high: int, wide: int) -> Bools:
    """Return the block in the middle bars from feature 2 on, (1, time, feature); arguments as of `block_masks`."""
    top, left = (steps - high + 1) // 2, min(2, features - wide)
    mask = np.zeros((1, steps, features), dtype=bool)
    mask[:, top : top + high, left : left + wide] = True
    return mask


def frequency_shapes(steps: int, features: int) -> tuple[Patterns, ...]:
    """Return spikes at equal intervals in one feature, at any phase and in any feature.

    As in FreqShapes, sign and interval of the spikes form four combinations, here in three classes: spikes up at the
    short interval are UP, spikes down at the short interval DOWN, and spikes of either sign at the long interval FLAT.
    The intervals are a fifth and a third of the window, as 10 and 17 are of the paper's 50 bars, and at least 2 and 3.
    """
    short = max(2, round(steps / 5))
    often, seldom = (_spikes(steps, features, interval) for interval in (short, max(short + 1, steps // 3)))
    return (
        Patterns(0, -SPIKE, often),
        Patterns(1, -SPIKE, seldom),
        Patterns(1, SPIKE, seldom),
        Patterns(2, SPIKE, often),
    )


def _spikes(steps: int, features: int, interval: int) -> Bools:
    phase, feature = (part.ravel()[:, None, None] for part in np.indices((interval, features)))
    in_time = np.arange(steps)[:, None] % interval == phase
    return np.asarray(in_time & (np.arange(features) == feature))
