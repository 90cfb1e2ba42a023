"""Several networks that answer as one: the mean of their logits.

Logits are averaged, not probabilities, so that margins, gradients and every explanation of the whole are the
mean of the members', and one temperature calibrates it (Lakshminarayanan, Pritzel and Blundell 2017, "Simple
and scalable predictive uncertainty estimation using deep ensembles", averages probabilities instead).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Networks of one input shape."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits, (batch, 3)."""
        return torch.stack([member(x) for member in self.members]).mean(dim=0)
