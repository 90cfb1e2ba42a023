"""2D-CNN: the window as an image, with square convolutions and one pooling. For comparison.

Input (batch, time, feature) -> logits (batch, 3). Neighboring columns are unrelated features, so that a square kernel
has no meaning there. Pooling makes its Grad-CAM coarse.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Conv2dConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window, 2 or more."""
    features: int = 8
    """Features of a bar, 2 or more."""
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""
    channels: tuple[int, int] = (16, 32)
    """Channels of the two convolutions."""
    kernel: int = 3
    """Side of the square kernel, odd."""
    dropout: float = 0.2
    """Dropout probability of the activations, 0-1."""

    def __post_init__(self) -> None:
        for name in ("time_steps", "features"):
            if getattr(self, name) < 2:
                raise ValueError(f"conv2d: {name} must be 2 or more, is {getattr(self, name)}")


class Conv2d(nn.Module):
    """Convolution, 2 x 2 pooling, convolution, one linear layer."""

    def __init__(self, config: Conv2dConfig) -> None:
        super().__init__()
        first, second = config.channels
        padding = config.kernel // 2
        self.first = nn.Conv2d(1, first, config.kernel, padding=padding)
        self.second = nn.Conv2d(first, second, config.kernel, padding=padding)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(second * (config.time_steps // 2) * (config.features // 2), config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self.classify(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Return activations (batch, channel, time / 2, feature / 2) of x (batch, time, feature)."""
        pooled = functional.max_pool2d(torch.relu(self.first(x[:, None])), 2)
        return torch.relu(self.second(pooled))

    def classify(self, activations: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of activations (batch, channel, time / 2, feature / 2)."""
        return self.head(self.dropout(activations.flatten(1)))  # type: ignore[no-any-return]
