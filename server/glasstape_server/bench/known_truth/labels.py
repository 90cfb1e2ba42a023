"""How the selected cells of a hidden-state window and its class depend on each other."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glasstape_server.bench.known_truth.truth_set import Random
from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.statistics import softmax


class LabelRule(Protocol):
    """Joint distribution of the class and the selected cells."""

    def draw(self, residuals: Floats, random: Random) -> tuple[Ints, Float32s]:
        """Return class indices (n,) and what is added to the selected cells, (n, bar) or broadcast to it.

        Args:
            residuals: selected cells minus their means, (n, bar).
            random: generator.
        """
        ...

    def log_weights(self, residuals: Tensor) -> Tensor:
        """Return the log probability of each class and the cells, up to a constant of the cells, (..., class).

        Args:
            residuals: selected cells minus their means, (..., bar).
        """
        ...


@dataclass(frozen=True, slots=True)
class Shifted:
    """The class is uniform and shifts the selected cells: down for DOWN, not at all for FLAT, up for UP."""

    shift: float
    deviation: float
    """Of the selected cells, which are independent."""

    def draw(self, residuals: Floats, random: Random) -> tuple[Ints, Float32s]:
        """Return classes and shifts; see `LabelRule.draw`."""
        labels = random.integers(0, 3, len(residuals))
        return labels, (self.shift * (labels - 1))[:, None].astype(np.float32)

    def log_weights(self, residuals: Tensor) -> Tensor:
        """Return log probabilities; see `LabelRule.log_weights`."""
        shift = self.shift * torch.tensor([-1.0, 0.0, 1.0], dtype=residuals.dtype)
        terms = residuals[..., None] * shift - shift**2 / 2
        return terms.sum(dim=-2) / self.deviation**2


@dataclass(frozen=True, slots=True)
class Logistic:
    """The class is drawn with the probabilities softmax(-slope z, bias, slope z), z the sum of the selected cells."""

    slope: float
    bias: float

    def draw(self, residuals: Floats, random: Random) -> tuple[Ints, Float32s]:
        """Return classes and no shift; see `LabelRule.draw`."""
        z = residuals.sum(axis=1)
        logits = np.stack([-self.slope * z, np.full(len(z), self.bias), self.slope * z], axis=1)
        upper = softmax(logits).cumsum(axis=1)[:, :2]
        labels = (random.random(len(z))[:, None] > upper).sum(axis=1)
        return labels, np.zeros((1, 1), dtype=np.float32)

    def log_weights(self, residuals: Tensor) -> Tensor:
        """Return log probabilities; see `LabelRule.log_weights`."""
        z = self.slope * residuals.sum(dim=-1)
        return torch.log_softmax(torch.stack([-z, torch.full_like(z, self.bias), z], dim=-1), -1)
