"""Transformer encoder: a bar is a token, and attention runs over time.

Input (batch, time, feature) -> logits (batch, 3). Its attention does not distinguish features: its native shape is
(time, 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glasstape_server.models.networks.layers import SelfAttention, feed_forward
from glasstape_server.models.networks.network import AttentionLayer, AttentionWeights


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Size of the network."""

    time_steps: int = 6
    """Bars in a window."""
    features: int = 8
    """Features of a bar."""
    outputs: int = 3
    """Logits, one of each class; 1: the score of a rank head."""
    width: int = 32
    """Embedding width of a bar; a multiple of `heads`."""
    heads: int = 4
    """Attention heads of a layer."""
    layers: int = 2
    """Attention layers."""
    dropout: float = 0.1
    """Dropout probability of the pooled embedding, 0-1."""


class Transformer(nn.Module):
    """Embedding with learned positions, pre-norm attention layers, mean over bars, one linear layer."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.embed = nn.Linear(config.features, config.width)
        self.position = nn.Parameter(0.1 * torch.randn(config.time_steps, config.width))
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.width, config.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return self._logits_and_weights(x)[0]

    def attend(self, x: Tensor) -> tuple[Tensor, AttentionWeights]:
        """Return the logits (batch, 3) and attention weights of x (batch, time, feature); see `Attentive`.

        The readout weights all bars equally.
        """
        logits, weights = self._logits_and_weights(x)
        layers = tuple(AttentionLayer("time", layer.mean(dim=1)[:, None]) for layer in weights)
        readout = torch.full((len(x), x.shape[1], 1), 1 / x.shape[1], dtype=x.dtype, device=x.device)
        return logits, AttentionWeights(layers, readout)

    def _logits_and_weights(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.embed(x) + self.position
        attention = []
        for layer in self.layers:
            x, weights = layer(x)
            attention.append(weights)
        return self.head(self.dropout(self.norm(x).mean(dim=1))), attention


class _Layer(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.norm = nn.LayerNorm(config.width)
        self.feed_forward = feed_forward(config.width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings (batch, time, width) for x of that shape, and attention (batch, head, query, key)."""
        mixed, weights = self.attention(self.attention_norm(x))
        x = x + mixed
        return x + self.feed_forward(self.norm(x)), weights
