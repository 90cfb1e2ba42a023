"""Examples for training: windows gathered and normalized batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.training.dataset import Dataset

Labels = Ints | Float32s
"""Class indices, or what a rank head learns: `rank_head.rank_targets`; (n,)."""
CHUNK = 1 << 16
"""Rows converted to double precision at once."""
MIN_DEVIATION = 1e-6
"""Standard deviation below which a feature is constant."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """Mean and standard deviation of each feature over the cells of training windows, (feature,) each.

    The deviation of a constant feature is 1.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, training: Dataset) -> "Normalization":
        """Compute the normalization of training windows, in float64 and in order, so that it is reproducible."""
        total = len(training) * training.time_steps
        mean = sum(weights @ rows for rows, weights in _rows(training)) / total
        square = sum(weights @ (rows - mean) ** 2 for rows, weights in _rows(training)) / total
        deviation = np.sqrt(square)
        # Of a constant feature, a tiny divisor would make rounding errors large, and its gradients the largest.
        deviation[deviation < MIN_DEVIATION] = 1.0
        return cls(torch.tensor(mean, dtype=torch.float32), torch.tensor(deviation, dtype=torch.float32))


class Examples(Protocol):
    """Normalized windows and labels, by number."""

    def __len__(self) -> int: ...

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows (n, time, feature), float32, and labels (n,), of numbers (n,), int64."""
        ...


class TensorExamples:
    """Examples held as tensors."""

    def __init__(self, windows: Tensor, labels: Tensor) -> None:
        """Hold normalized windows (n, time, feature), float32, and labels (n,)."""
        self._windows, self._labels = windows, labels

    def __len__(self) -> int:
        return len(self._labels)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows (n, time, feature), float32, and labels (n,), of numbers (n,), int64."""
        return self._windows[numbers], self._labels[numbers]


class DatasetExamples:
    """Examples gathered from a data set."""

    def __init__(self, data: Dataset, labels: Labels, normalization: Normalization) -> None:
        """Refer to a data set.

        Args:
            data: its windows.
            labels: of each window, (n,).
            normalization: of the windows.
        """
        self._shape = steps, width = data.window_shape
        # Windows overlap in memory: each is a view of `steps` rows, copied when it is taken.
        self._windows = torch.from_numpy(np.asarray(data.features)).view(-1).unfold(0, steps * width, width)
        self._first = torch.from_numpy(data.last - (steps - 1))
        self._labels = torch.from_numpy(labels)
        self._scale = (1 / normalization.deviation).repeat(steps)
        self._shift = -normalization.mean.repeat(steps) * self._scale

    def __len__(self) -> int:
        return len(self._first)

    def take(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows (n, time, feature), float32, and labels (n,), of numbers (n,), int64."""
        windows = self._windows.index_select(0, self._first.index_select(0, numbers))
        normalized = torch.addcmul(self._shift, windows, self._scale)
        return normalized.view(-1, *self._shape), self._labels.index_select(0, numbers)


def batches_of(examples: Examples, count: int = 4096) -> Iterator[tuple[Tensor, Tensor]]:
    """Iterate over windows (count, time, feature) and labels (count,), in order; the last batch may be smaller."""
    return map(examples.take, torch.split(torch.arange(len(examples)), count))


def _rows(data: Dataset) -> Iterator[tuple[Floats, Floats]]:
    """Yield feature rows (n, feature), and the number of windows that contain each, (n,)."""
    ends = np.bincount(data.last, minlength=len(data.features) + data.time_steps)
    counts = sum(ends[step : step + len(data.features)] for step in range(data.time_steps))
    used = np.flatnonzero(counts)
    for start in range(0, len(used), CHUNK):
        part = used[start : start + CHUNK]
        yield data.features[part].astype(np.float64), np.asarray(counts)[part].astype(np.float64)
