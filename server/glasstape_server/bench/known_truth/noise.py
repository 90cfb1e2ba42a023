"""Noise of the known-truth sets, with its log-likelihood ratios. Every cell has mean 0 and standard deviation 1."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glasstape_server.bench.known_truth.truth_set import Random
from glasstape_server.domain.arrays import Float32s, Floats


class Noise(Protocol):
    """Distribution of the cells of a window."""

    def draw(self, shape: tuple[int, int, int], random: Random) -> Float32s:
        """Return noise of a shape (n, time, feature)."""
        ...

    def log_ratios(self, windows: Tensor, masks: Tensor, shift: float) -> Tensor:
        """Return the log likelihood of each mask's cells being shifted, minus that of no shift, (batch, mask).

        Args:
            windows: (batch, time, feature).
            masks: 0 or 1, (mask, time, feature).
            shift: of the mean of a mask's cells.
        """
        ...


class Gaussian:
    """Independent normal cells."""

    def draw(self, shape: tuple[int, int, int], random: Random) -> Float32s:
        """Return noise; see `Noise.draw`."""
        return random.standard_normal(shape, dtype=np.float32)

    def log_ratios(self, windows: Tensor, masks: Tensor, shift: float) -> Tensor:
        """Return log-likelihood ratios; see `Noise.log_ratios`."""
        flat = masks.flatten(1)
        return shift * windows.flatten(1) @ flat.T - shift**2 / 2 * flat.sum(dim=1)


class StudentT:
    """Independent cells of Student's t distribution with 3 degrees of freedom, divided by its deviation."""

    degrees = 3

    def draw(self, shape: tuple[int, int, int], random: Random) -> Float32s:
        """Return noise; see `Noise.draw`."""
        chi_square = (random.standard_normal((self.degrees, *shape), dtype=np.float32) ** 2).sum(axis=0)
        # The deviation of t is sqrt(degrees / (degrees - 2)), so that the degrees cancel.
        ratio = np.sqrt(np.float32(self.degrees - 2) / chi_square)
        return np.asarray(random.standard_normal(shape, dtype=np.float32) * ratio)

    def log_ratios(self, windows: Tensor, masks: Tensor, shift: float) -> Tensor:
        """Return log-likelihood ratios; see `Noise.log_ratios`."""
        by_cell = self._log_density(windows - shift) - self._log_density(windows)
        return by_cell.flatten(1) @ masks.flatten(1).T

    def _log_density(self, values: Tensor) -> Tensor:
        """Return the log density of values up to a constant."""
        return -(self.degrees + 1) / 2 * torch.log1p(values**2 / (self.degrees - 2))


class SharedFactors:
    """Normal cells whose features share factors: one of all features and one of each half of the features.

    Features of one half have the correlation `common`² + `half`², others `common`². Bars are independent.
    """

    common, half = 0.6, 0.5

    def __init__(self, features: int) -> None:
        """Build the covariance of the features."""
        group = np.arange(features) * 2 // features
        covariance = self.common**2 + self.half**2 * (group[:, None] == group)
        np.fill_diagonal(covariance, 1.0)
        self.covariance: Floats = covariance
        """(feature, feature)."""
        self._root = np.linalg.cholesky(covariance).astype(np.float32)
        self._precision = torch.tensor(np.linalg.inv(covariance), dtype=torch.float32)

    def draw(self, shape: tuple[int, int, int], random: Random) -> Float32s:
        """Return noise; see `Noise.draw`."""
        return np.asarray(random.standard_normal(shape, dtype=np.float32) @ self._root.T)

    def log_ratios(self, windows: Tensor, masks: Tensor, shift: float) -> Tensor:
        """Return log-likelihood ratios; see `Noise.log_ratios`."""
        weights = masks @ self._precision.to(masks.dtype)
        own = (weights * masks).sum(dim=(1, 2))
        return shift * windows.flatten(1) @ weights.flatten(1).T - shift**2 / 2 * own
