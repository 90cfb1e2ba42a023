"""Set whose features have units of their own."""

import numpy as np
import torch
from torch import Tensor, nn

from glasstape_server.bench.known_truth.truth_set import KnownTruth, Random, TruthSet

LARGEST = 100.0
"""Largest ratio of two features' units."""


class InUnits:
    """Windows of another set with each feature in units of its own, and with a level that is not 0.

    A value v of feature j becomes unit_j (v + level_j). The units are equally spaced in their logarithm between 1 and
    100, the levels between -3 and 3, both in an order in which neighbors differ. Salient cells and classes stay.
    """

    def __init__(self, inner: TruthSet, features: int) -> None:
        """Take windows of `inner`, with a number of features."""
        place = np.arange(features) * 3 % features if features % 3 else np.arange(features)
        self._unit = (LARGEST ** (place / (features - 1))).astype(np.float32)
        self._level = np.linspace(-3, 3, features, dtype=np.float32)[place[::-1]]
        self._inner = inner

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return windows; see `TruthSet.draw`."""
        truth = self._inner.draw(n, random)
        return KnownTruth(self._unit * (truth.windows + self._level), truth.labels, truth.cells)

    def posterior(self) -> nn.Module | None:
        """Return the Bayes-optimal classifier; see `TruthSet.posterior`."""
        inner = self._inner.posterior()
        return None if inner is None else AffineInput(inner, 1 / self._unit, -self._level)


class AffineInput(nn.Module):
    """Classifier of windows that are first multiplied by a factor and added to an offset, both per feature."""

    factor: Tensor
    offset: Tensor

    def __init__(self, inner: nn.Module, factor: object, offset: object) -> None:
        """Wrap a classifier; factor and offset have the shape (feature,)."""
        super().__init__()
        self.inner = inner
        self.register_buffer("factor", torch.as_tensor(factor))
        self.register_buffer("offset", torch.as_tensor(offset))

    def forward(self, windows: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of windows (batch, time, feature)."""
        return self.inner(windows * self.factor + self.offset)  # type: ignore[no-any-return]
