"""Axial attention network, whose attention is a (time, feature) map.

Each cell is a token. Attention runs along time within a feature, then along features within a bar (axial attention: Ho,
Kalchbrenner, Weissenborn and Salimans 2019). The logits are computed from cells pooled by one more attention.

Input (batch, time, feature) -> logits (batch, 3).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glasstape_server.models.networks.layers import SelfAttention
from glasstape_server.models.networks.network import AttentionLayer, AttentionWeights


@dataclass(frozen=True, kw_only=True)
class AxialConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""
    width: int = 16
    """Embedding width of a cell; a multiple of `heads`."""
    heads: int = 2
    """Attention heads of a layer."""
    layers: int = 1
    """Pairs of attention layers, one along time and one along features."""
    dropout: float = 0.1
    """Dropout probability of the pooled embedding, 0-1."""


class Axial(nn.Module):
    """Cell embeddings, axial attention layers, attention pooling, one linear layer."""

    def __init__(self, config: AxialConfig) -> None:
        super().__init__()
        width = config.width
        self.value = nn.Parameter(torch.randn(config.features, width))
        self.place = nn.Parameter(torch.randn(config.time_steps, config.features, width))
        self.layers = nn.ModuleList(_Pair(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self._logits_and_weights(x)[0]

    def attend(self, x: Tensor) -> tuple[Tensor, AttentionWeights]:
        """Return the logits (batch, 3) and attention weights of x (batch, time, feature); see `Attentive`."""
        logits, weights, readout = self._logits_and_weights(x)
        layers = []
        for along_time, along_features in weights:
            layers.append(AttentionLayer("time", along_time))
            layers.append(AttentionLayer("feature", along_features))
        return logits, AttentionWeights(tuple(layers), readout)

    def _logits_and_weights(self, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor]], Tensor]:
        own = x[..., None] * self.value
        cells, attention = own + self.place, []
        for layer in self.layers:
            cells, weights = layer(cells)
            attention.append(weights)
        scores = self.query(self.norm(cells))[..., 0]
        readout = torch.softmax(scores.flatten(1), dim=1).view_as(x)
        pooled = (readout[..., None] * cells).sum(dim=(1, 2))
        return self.head(self.dropout(pooled)), attention, readout


class _Pair(nn.Module):
    def __init__(self, config: AxialConfig) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(config.width)
        self.time = SelfAttention(config.width, config.heads)
        self.feature_norm = nn.LayerNorm(config.width)
        self.feature = SelfAttention(config.width, config.heads)

    def forward(self, cells: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return cells (batch, time, feature, width), and the weights of both layers."""
        batch, steps, features, width = cells.shape
        columns = self.time_norm(cells).transpose(1, 2).reshape(-1, steps, width)
        mixed, along_time = self.time(columns)
        cells = cells + mixed.view(batch, features, steps, width).transpose(1, 2)
        mixed, along_features = self.feature(self.feature_norm(cells).view(-1, features, width))
        cells = cells + mixed.view(batch, steps, features, width)
        return cells, (
            along_time.mean(dim=1).view(batch, features, steps, steps),
            along_features.mean(dim=1).view(batch, steps, features, features),
        )
