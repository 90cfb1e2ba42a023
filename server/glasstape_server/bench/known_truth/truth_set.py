"""Windows with known salient cells, and the distributions that they are drawn from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.training.examples import Normalization

Bools = NDArray[np.bool_]
Random = np.random.Generator
SHIFT = 2.0
"""Mean shift of a salient cell, standard deviations of the noise: large enough for a few dozen cells."""


@dataclass(frozen=True, slots=True)
class KnownTruth:
    """Windows with their classes and salient cells."""

    windows: Float32s
    """(n, time, feature)."""
    labels: Ints
    """Class indices, (n,)."""
    cells: Bools
    """Whether a cell is salient, (n, time, feature)."""

    def __len__(self) -> int:
        return len(self.windows)

    def rows(self, chosen: Bools) -> "KnownTruth":
        """Return windows by a mask (n,)."""
        return KnownTruth(self.windows[chosen], self.labels[chosen], self.cells[chosen])

    def normalization(self) -> Normalization:
        """Return mean and standard deviation of each feature over all cells of the windows."""
        mean = self.windows.mean(axis=(0, 1), dtype=np.float64)
        deviation = self.windows.std(axis=(0, 1), dtype=np.float64)
        return Normalization(*(torch.tensor(part, dtype=torch.float32) for part in (mean, deviation)))


class TruthSet(Protocol):
    """Distribution of windows (time, feature) with known salient cells."""

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return `n` independent windows."""
        ...

    def posterior(self) -> nn.Module | None:
        """Return the Bayes-optimal classifier: windows (batch, time, feature) -> log probabilities (batch, 3).

        The logits are exact up to a constant of each row, and differentiable. None: no cell carries the class.
        """
        ...
