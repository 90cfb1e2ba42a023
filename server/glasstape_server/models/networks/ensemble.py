"""Ensemble of networks: the mean of their logits.

Logits are averaged, not probabilities, so that margins, gradients and explanations of the ensemble are the means of its
members', and one temperature calibrates it. (Lakshminarayanan, Pritzel and Blundell 2017, "Simple and scalable
predictive uncertainty estimation using deep ensembles", average probabilities.)
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Mean logits of networks with the same input shape."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (batch, 3) of x (batch, time, feature)."""
        return torch.stack([member(x) for member in self.members]).mean(dim=0)
