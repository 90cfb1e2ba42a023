"""The baseline: one weight for each cell and class. It must explain itself exactly.

Input (batch, time, feature) -> logits (batch, 3). Gradient, weight and occlusion agree on it to the
last digit, so it tests the methods as much as the data.
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class LinearConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""


class Linear(nn.Module):
    """Multinomial logistic regression over the cells of the window."""

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.head = nn.Linear(config.time_steps * config.features, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits."""
        return self.head(x.flatten(1))  # type: ignore[no-any-return]
