"""Signs of score differences around a window, for models without gradients: trees are piecewise constant."""

import torch
from torch import Tensor

from glasstape_server.explain.method import Network, Rows, chunks
from glasstape_server.explain.methods.smoothgrad import NOISE
from glasstape_server.explain.scores import FrozenScore

DRAWS = 8
"""Noisy copies of a window."""
STEP = 0.5
"""Change of a cell to both sides, relative to the standard deviation of its feature."""


@torch.no_grad()
def difference_stability(network: Network, rows: Rows, frozen: FrozenScore, seed: int) -> Tensor:
    """Return the share of noisy copies with the sign of the mean difference, 0-1, (batch, time, feature).

    The difference of a cell is the score with the cell raised by `STEP` minus that with the cell lowered by it. The
    noise is that of SmoothGrad, and depends on the seed alone, not on the batch.

    Args:
        network: to measure.
        rows: the batch.
        frozen: score of the rows.
        seed: of the noise.
    """
    steps, width = rows.shape
    noise = torch.randn(DRAWS, *rows.shape, generator=torch.Generator().manual_seed(seed))
    noise = noise.to(rows.windows.dtype) * (NOISE * rows.deviation)
    change = torch.diag_embed((STEP * rows.deviation).repeat(steps)).view(-1, steps, width)
    change = torch.cat([change, -change])  # (2 x cell, time, feature)
    stability = torch.empty_like(rows.windows)
    each = DRAWS * len(change)
    for part in chunks(len(rows), each):
        points = rows.windows[part][:, None, None] + noise[:, None] + change
        scores = frozen.rows(part).of(network(points.flatten(0, 2)), each).view(-1, DRAWS, 2, steps, width)
        differences = scores[:, :, 0] - scores[:, :, 1]
        mean = differences.mean(dim=1, keepdim=True)
        stability[part] = (differences.sign() == mean.sign()).to(stability.dtype).mean(dim=1)
    return stability
