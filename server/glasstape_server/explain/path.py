"""The gradient along straight paths, integrated by Gauss-Legendre quadrature."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from glasstape_server.explain.method import PASSES_AT_ONCE, Network, chunks, gradient_at, pull
from glasstape_server.explain.scores import FrozenScore, Question

TOLERANCE = 0.01
"""Largest completeness error, as part of the score difference."""
LEAST_DIFFERENCE = 0.05
"""Score differences below this count as this much, in logits: no map need be exact about nothing."""


def completeness_limit(difference: Tensor) -> Tensor:
    """Largest completeness error of a good map, for score minus baseline score."""
    return TOLERANCE * difference.abs().clamp_min(LEAST_DIFFERENCE)


def integrate(network: Network, windows: Tensor, starts: Tensor, frozen: FrozenScore, steps: int) -> Tensor:
    """Integrated gradients of windows from starts, both (batch, time, feature), with `steps` nodes."""
    nodes, weights = _nodes(steps, windows.dtype)
    way = windows - starts
    result = torch.empty_like(windows)
    for part in chunks(len(windows), steps):
        points = torch.addcmul(starts[part][:, None], nodes, way[part][:, None])
        gradient = gradient_at(network, points.flatten(0, 1), frozen.rows(part), steps)
        mean = torch.einsum("nstf,s->ntf", gradient.view_as(points), weights)
        torch.mul(mean, way[part], out=result[part])
    return result


@dataclass(frozen=True, slots=True)
class FirstPass:
    """Scores at both ends of the paths, and the integral with the first number of steps."""

    logits: Tensor  # (batch, 3) of the windows
    frozen: FrozenScore
    score: Tensor  # (batch,)
    start: Tensor  # (batch,) score of the starts
    values: Tensor  # (batch, time, feature)


def first_pass(
    network: Network, windows: Tensor, starts: Tensor, question: Question, steps: int
) -> FirstPass:
    """Both ends and all steps between; of few windows, in one forward and one backward."""
    count, rows = steps + 2, len(windows)
    if rows * count > PASSES_AT_ONCE:
        with torch.no_grad():
            logits, of_starts = network(torch.cat([windows, starts])).chunk(2)
        frozen = question.freeze(logits)
        values = integrate(network, windows, starts, frozen, steps)
        return FirstPass(logits, frozen, frozen.of(logits), frozen.of(of_starts), values)
    nodes, weights = _with_ends(steps, windows.dtype)
    way = windows - starts
    points = torch.addcmul(starts[:, None], nodes, way[:, None]).flatten(0, 1)
    every, pullback = pull(network, points)
    by_row = every.view(rows, count, 3)
    logits, of_starts = by_row[:, -1], by_row[:, 0]
    frozen = question.freeze(logits)
    gradient = pullback(frozen.slope(every, count))
    mean = torch.einsum("nstf,s->ntf", gradient.view(rows, count, *windows.shape[1:]), weights)
    return FirstPass(logits, frozen, frozen.of(logits), frozen.of(of_starts), mean * way)


def until_complete(
    compute: Callable[[Tensor, int], Tensor], values: Tensor, difference: Tensor, first: int, last: int
) -> tuple[Tensor, Tensor]:
    """Double the steps of rows until their cells sum to `difference` within the limit.

    Args:
        compute: maps of some rows (their numbers) with so many steps.
        values: maps with `first` steps; rows that need more are replaced in it.
        difference: score minus baseline score, (batch,).
        first: steps that `values` took.
        last: steps at most; equal to `first`: take exactly these.

    Returns:
        Maps and the steps that each row took.
    """
    taken, steps = torch.full((len(difference),), first), first
    limit = completeness_limit(difference)
    while steps < last:
        missed = ((values.sum((1, 2)) - difference).abs() > limit).nonzero()[:, 0]
        if not len(missed):
            break
        steps = min(2 * steps, last)
        values[missed], taken[missed] = compute(missed, steps), steps
    return values, taken


@cache
def _with_ends(steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The nodes between 0 and 1, which have no weight."""
    nodes, weights = _nodes(steps, dtype)
    zero, one = torch.zeros(1, 1, 1, dtype=dtype), torch.ones(1, 1, 1, dtype=dtype)
    return torch.cat([zero, nodes, one]), torch.cat([zero[0, 0], weights, zero[0, 0]])


@cache
def _nodes(steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Nodes (step, 1, 1) and weights (step,) of the quadrature on 0 .. 1."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return torch.tensor((nodes + 1) / 2, dtype=dtype)[:, None, None], torch.tensor(weights / 2, dtype=dtype)
