"""1D-CNN: features are channels, convolutions run over time.

Input (batch, time, feature) -> logits (batch, 3) for down, flat, up.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glasstape_server.models.networks.layers import TimeConvolution


@dataclass(frozen=True, kw_only=True)
class Conv1dConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""
    channels: tuple[int, int] = (32, 64)
    """Channels of the two convolutions."""
    kernel: int = 3
    """Bars per convolution kernel, odd."""
    dropout: float = 0.2
    """Dropout probability of the pooled channels, 0-1."""


class Conv1d(nn.Module):
    """Two convolutions over time, mean over time, one linear layer."""

    def __init__(self, config: Conv1dConfig) -> None:
        super().__init__()
        first, second = config.channels
        self.first = TimeConvolution(config.features, first, config.kernel)
        self.second = TimeConvolution(first, second, config.kernel)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(second, config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self.classify(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Return activations (batch, channel, time, 1) of x (batch, time, feature)."""
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return x.transpose(1, 2)[..., None]

    def classify(self, activations: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of activations (batch, channel, time, 1)."""
        by_bar = activations.squeeze(3).transpose(1, 2)  # contiguous
        return self.head(self.dropout(by_bar.mean(dim=1)))  # type: ignore[no-any-return]
