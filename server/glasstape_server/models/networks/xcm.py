"""Convolutional network that keeps both axes up to its head, so that its Grad-CAM has full resolution.

After XCM (Fauvel, Lin, Masson, Fromont and Termier 2021, "XCM: an explainable convolutional neural network for
multivariate time series classification"): each feature has temporal convolutions of its own, and a second branch over
all features gates each cell by its context. The logits are a mean over cells, so that Grad-CAM is exact up to its ReLU:
the map is what each cell adds to the score.

Input (batch, time, feature) -> logits (batch, 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from glasstape_server.models.networks.layers import TimeConvolution


@dataclass(frozen=True, kw_only=True)
class XcmConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""
    channels: int = 16
    """Channels of a cell."""
    context: int = 32
    """Channels of the branch over all features."""
    kernel: int = 3
    """Bars per convolution kernel, odd."""
    dropout: float = 0.1
    """Dropout probability of the pooled channels, 0-1."""


class Xcm(nn.Module):
    """Per-feature temporal convolution beside a convolution over all features, mean over cells."""

    def __init__(self, config: XcmConfig) -> None:
        super().__init__()
        c = config.channels
        self.kernel = config.kernel
        self.taps = nn.Parameter(torch.randn(config.features, config.kernel, c) * config.kernel**-0.5)
        self.place = nn.Parameter(0.1 * torch.randn(config.time_steps, config.features, c))
        self.around = TimeConvolution(config.features, config.context, config.kernel)
        self.gate = nn.Linear(config.context, config.features * c)
        self.cell = nn.Linear(c, c)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(c, config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self.classify(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Return activations (batch, channel, time, feature) of x (batch, time, feature)."""
        batch, steps, features = x.shape
        side = self.kernel // 2
        near = functional.pad(x, (0, 0, side, side)).unfold(1, self.kernel, 1)
        own = torch.einsum("btfk,fkc->btfc", near, self.taps)
        around = self.gate(torch.relu(self.around(x))).view(batch, steps, features, -1)
        # The context only gates a cell: if it were added, a cell could carry its neighbors' information and the
        # map would not be local.
        gated = own * torch.sigmoid(around + self.place)
        return torch.relu(self.cell(gated)).permute(0, 3, 1, 2)

    def classify(self, activations: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of activations (batch, channel, time, feature)."""
        by_cell = activations.permute(0, 2, 3, 1).flatten(1, 2)  # contiguous
        return self.head(self.dropout(by_cell.mean(dim=1)))  # type: ignore[no-any-return]
