"""Linear baseline: one weight per cell and class.

Input (batch, time, feature) -> logits (batch, 3). Gradient and weights are equal here, and so is occlusion up to the
input's factor, so that the network also tests the explanation methods.
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
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""


class Linear(nn.Module):
    """Multinomial logistic regression over the cells of the window."""

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.head = nn.Linear(config.time_steps * config.features, config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self.head(x.flatten(1))  # type: ignore[no-any-return]
