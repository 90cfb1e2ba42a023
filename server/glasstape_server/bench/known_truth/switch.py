"""Set in which one feature selects the salient one.

After Tonekaboni, Joshi, Campbell, Duvenaud and Goldenberg (2020), "What went wrong and when? Instance-wise feature
importance for time-series black-box models", with an observed switch instead of a hidden one.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from glasstape_server.bench.known_truth.truth_set import SHIFT, KnownTruth, Random

GATE, GATE_NOISE = 2.0, 0.3
"""Size and noise of the gate's value, standard deviations of the other cells."""
GATE_BARS = 2
"""Last bars that hold the gate."""
CHOICES = (2, 5)
"""Feature that a positive and a negative gate select."""


class Switch:
    """Windows in which feature 0 of the last two bars, the gate, selects feature 2 or 5.

    The selected feature is shifted towards the class in the second half of the bars, the other one in the same bars
    towards a class that is drawn at random. Salient: the gate, and the selected feature in the second half.
    """

    def __init__(self, steps: int, features: int) -> None:
        """Set the shape of a window."""
        self._shape = steps, features

    def draw(self, n: int, random: Random) -> KnownTruth:
        """Return windows; see `TruthSet.draw`."""
        steps, features = self._shape
        x = random.standard_normal((n, steps, features), dtype=np.float32)
        labels, distractor = random.integers(0, 3, (2, n))
        gate = random.choice([-1, 1], n)
        x[:, -GATE_BARS:, 0] = GATE * gate[:, None] + GATE_NOISE * random.normal(size=(n, GATE_BARS))
        late = slice(steps - steps // 2, steps)
        cells = np.zeros(x.shape, dtype=bool)
        for feature, value in zip(CHOICES, (1, -1), strict=True):
            chosen = gate == value
            x[:, late, feature] += (SHIFT * (np.where(chosen, labels, distractor) - 1))[:, None]
            cells[:, late, feature] = chosen[:, None]
        cells[:, -GATE_BARS:, 0] = True
        return KnownTruth(x, labels, cells)

    def posterior(self) -> nn.Module:
        """Return the Bayes-optimal classifier; see `TruthSet.posterior`."""
        return SwitchPosterior(self._shape[0] // 2)


class SwitchPosterior(nn.Module):
    """Bayes-optimal classifier of `Switch`: a mixture over both values of the gate and the random class."""

    def __init__(self, late: int) -> None:
        """Set the number of bars of the second half."""
        super().__init__()
        self._late = late

    def forward(self, windows: Tensor) -> Tensor:
        """Compute log probabilities (batch, 3), up to a constant of each row, of windows (batch, time, feature)."""
        gate = 2 * GATE / GATE_NOISE**2 * windows[:, -GATE_BARS:, 0].sum(dim=1)  # log odds of a positive one
        shift = SHIFT * torch.tensor([-1.0, 0.0, 1.0], dtype=windows.dtype)
        total = windows[:, -self._late :, list(CHOICES)].sum(dim=1)
        by_class = total[:, :, None] * shift - self._late / 2 * shift**2  # (batch, choice, class)
        random = torch.logsumexp(by_class, 2) - math.log(3)
        positive = gate[:, None] + by_class[:, 0] + random[:, 1:]
        negative = by_class[:, 1] + random[:, :1]
        return torch.logaddexp(positive, negative)
