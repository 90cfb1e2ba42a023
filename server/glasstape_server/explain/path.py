"""The gradient along straight paths, integrated by Gauss-Legendre quadrature."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain import Floats
from glasstape_server.explain.method import Network, chunks, gradient_at
from glasstape_server.explain.scores import FrozenScore

TOLERANCE = 0.01
"""Largest completeness error, as part of the score difference."""
LEAST_DIFFERENCE = 0.05
"""Score differences below this count as this much, in logits: no map need be exact about nothing."""


def completeness_limit(difference: Tensor) -> Tensor:
    """Largest completeness error of a good map, for score minus baseline score."""
    return TOLERANCE * difference.abs().clamp_min(LEAST_DIFFERENCE)


def integrate(network: Network, windows: Tensor, starts: Tensor, frozen: FrozenScore, steps: int) -> Tensor:
    """Integrated gradients of windows from starts, both (batch, time, feature), with `steps` nodes."""
    nodes, weights = (torch.tensor(part, dtype=windows.dtype) for part in _nodes(steps))
    way = windows - starts
    result = torch.empty_like(windows)
    for part in chunks(len(windows), steps):
        points = starts[part][:, None] + nodes[None, :, None, None] * way[part][:, None]
        gradient = gradient_at(network, points.flatten(0, 1), frozen.rows(part), steps)
        result[part] = (gradient.view_as(points) * weights[None, :, None, None]).sum(1) * way[part]
    return result


def until_complete(
    compute: Callable[[Tensor, int], Tensor], difference: Tensor, first: int, last: int
) -> tuple[Tensor, Tensor]:
    """Double the steps of rows until their cells sum to `difference` within the limit.

    Args:
        compute: maps of some rows (their numbers) with so many steps.
        difference: score minus baseline score, (batch,).
        first: steps to begin with.
        last: steps at most; equal to `first`: take exactly these.

    Returns:
        Maps and the steps that each row took.
    """
    everyone = torch.arange(len(difference))
    values, taken, steps = compute(everyone, first), torch.full((len(difference),), first), first
    limit = completeness_limit(difference)
    while steps < last:
        missed = ((values.sum((1, 2)) - difference).abs() > limit).nonzero()[:, 0]
        if not len(missed):
            break
        steps = min(2 * steps, last)
        values[missed], taken[missed] = compute(missed, steps), steps
    return values, taken


@cache
def _nodes(steps: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the quadrature on 0 .. 1."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2
