"""Rank correlation of tensors."""

import torch
from torch import Tensor


def spearman(left: Tensor, right: Tensor) -> Tensor:
    """Return the rank correlation of each row, -1 to 1, (batch,); 0 for rows whose values are all equal.

    Args:
        left: (batch, n).
        right: (batch, n).
    """
    ranks = [_ranks(part) for part in (left, right)]
    centered = [part - part.mean(dim=1, keepdim=True) for part in ranks]
    norm = centered[0].norm(dim=1) * centered[1].norm(dim=1)
    product = (centered[0] * centered[1]).sum(dim=1)
    return torch.where(norm > 0, product / norm.clamp_min(1e-300), 0.0)


def _ranks(values: Tensor) -> Tensor:
    """Return ranks from 0, (batch, n); ties have their mean rank."""
    ordered = values.sort(dim=1).values
    before = torch.searchsorted(ordered, values.contiguous(), right=False)
    through = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (before + through - 1).double() / 2
