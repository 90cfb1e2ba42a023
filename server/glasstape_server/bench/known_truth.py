"""Synthetic windows with known salient cells: noise in which only these cells carry the class.

Implemented from the formulas of Ismail et al. (2020), "Benchmarking deep learning
interpretability in time series predictions" (boxes in noise, with a mean shift large enough for a few
dozen cells), Tonekaboni et al. (2020), "What went wrong and when?" (switch, state) and Crabbe and van der
Schaar (2021), "Explaining time series predictions with dynamic masks" (white box).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glasstape_server.domain.arrays import Float32s, Ints

Bools = NDArray[np.bool_]
Random = np.random.Generator
SHIFT = 2.0
"""Mean shift of a salient cell, standard deviations of the noise."""


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


def _box(kind: str, steps: int, features: int) -> tuple[int, int]:
    """Return (time, feature) of the block of salient cells."""
    large = steps >= 40 and features >= 40  # the sizes of Ismail et al., table 1
    sizes = {
        "fixed": (14, 14) if large else (steps // 3, 3),
        "moving": (15, 15) if large else (steps // 3, 3),
        "rare-time": (6, 40) if large else (1, features - 2),
        "rare-feature": (40, 6) if large else (steps - 2, 1),
    }
    return sizes[kind]


def _boxed(kind: str) -> Callable[[int, int, int, Random], KnownTruth]:
    def make(n: int, steps: int, features: int, random: Random) -> KnownTruth:
        x, y = random.normal(size=(n, steps, features)), random.integers(0, 3, n)
        high, wide = _box(kind, steps, features)
        if kind == "fixed":
            top, left = np.full(n, (steps - high + 1) // 2), np.full(n, min(2, features - wide))
        else:
            top = random.integers(0, steps - high + 1, n)
            left = random.integers(0, features - wide + 1, n)
        time, feature = np.arange(steps)[None, :], np.arange(features)[None, :]
        in_time = (time >= top[:, None]) & (time < top[:, None] + high)
        in_feature = (feature >= left[:, None]) & (feature < left[:, None] + wide)
        cells = in_time[:, :, None] & in_feature[:, None, :]
        x += cells * (SHIFT * (y - 1))[:, None, None]
        return KnownTruth(x.astype(np.float32), y, cells)

    return make


def _switch(n: int, steps: int, features: int, random: Random) -> KnownTruth:
    """Generate windows in which feature 0 of the last two bars selects feature 2 or 5 as salient."""
    x, y = random.normal(size=(n, steps, features)), random.integers(0, 3, n)
    distractor = random.integers(0, 3, n)
    gate = random.choice([-1, 1], n)
    x[:, -2:, 0] = 2 * gate[:, None] + 0.3 * random.normal(size=(n, 2))
    salient, other = np.where(gate > 0, 2, 5), np.where(gate > 0, 5, 2)
    rows = np.arange(n)
    half = steps // 2
    cells = np.zeros((n, steps, features), dtype=bool)
    for time in range(steps - half, steps):
        x[rows, time, salient] += SHIFT * (y - 1)
        x[rows, time, other] += SHIFT * (distractor - 1)
        cells[rows, time, salient] = True
    cells[:, -2:, 0] = True
    return KnownTruth(x.astype(np.float32), y, cells)


def _state(n: int, steps: int, features: int, random: Random) -> KnownTruth:
    """Generate windows in which a hidden state selects one of the first three features of the last bar as salient.

    The state determines the means of these features. Transitions and means are those of the switch-feature set of
    Tonekaboni et al.; the label depends on the last bar only.
    """
    change = np.array([[0.95, 0.02, 0.03], [0.02, 0.95, 0.03], [0.03, 0.02, 0.95]])
    means = 2 * np.array([[0.8, -0.5, -0.2], [0.0, -1.0, 0.0], [-0.2, -0.2, 0.8]])
    x, y = random.normal(size=(n, steps, features)), random.integers(0, 3, n)
    state = random.integers(0, 3, n)
    rows = np.arange(n)
    for time in range(steps):
        if time:
            state = (random.random(n)[:, None] > change[state].cumsum(axis=1)).sum(axis=1).clip(0, 2)
        x[:, time, :3] = means[state] + 0.6 * x[:, time, :3]
    x[rows, -1, state] += SHIFT * (y - 1)
    cells = np.zeros((n, steps, features), dtype=bool)
    cells[rows, -1, state] = True
    return KnownTruth(x.astype(np.float32), y, cells)


def _null(n: int, steps: int, features: int, random: Random) -> KnownTruth:
    """Generate windows without salient cells."""
    x, y = random.normal(size=(n, steps, features)), random.integers(0, 3, n)
    return KnownTruth(x.astype(np.float32), y, np.zeros((n, steps, features), dtype=bool))


KINDS: dict[str, Callable[[int, int, int, Random], KnownTruth]] = {
    **{kind: _boxed(kind) for kind in ("fixed", "moving", "rare-time", "rare-feature")},
    "switch": _switch,
    "state3": _state,
    "null": _null,
}
"""Generator by name: (windows, bars, features, random) -> KnownTruth."""


def make(kind: str, n: int, steps: int, features: int, random: Random) -> KnownTruth:
    """Generate windows.

    Args:
        kind: one of `KINDS`.
        n: number of windows.
        steps: bars of a window.
        features: features of a bar.
        random: generator.

    Raises:
        ValueError: the kind is unknown, or the shape smaller than 4 x 6.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: must be one of {', '.join(KINDS)}, is {kind!r}")
    if steps < 4 or features < 6:
        raise ValueError(f"shape: must be at least 4 x 6, is {steps} x {features}")
    return KINDS[kind](n, steps, features, random)


class WhiteBox(nn.Module):
    """Model with known salient cells: the sum q of their squares is the logit of UP, -q that of DOWN.

    Crabbe and van der Schaar (2021), section 4.1.
    """

    cells: Tensor

    def __init__(self, cells: Tensor) -> None:
        super().__init__()
        self.register_buffer("cells", cells.float())

    def forward(self, windows: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of windows (batch, time, feature)."""
        total = (windows**2 * self.cells).sum(dim=(1, 2))
        return torch.stack([-total, torch.zeros_like(total), total], dim=1)
