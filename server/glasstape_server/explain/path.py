"""Integration of gradients along straight paths, by Gauss-Legendre quadrature."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from glasstape_server.explain.method import PASSES_AT_ONCE, Network, chunks, gradient_at, rows_at_once, vjp
from glasstape_server.explain.scores import FrozenScore, ScoreSpec

TOLERANCE = 0.01
"""Largest completeness error, relative to the score difference."""
MIN_DIFFERENCE = 0.05
"""Smallest score difference that the tolerance is relative to, logits."""


def completeness_limit(difference: Tensor) -> Tensor:
    """Return the largest acceptable completeness error of each row, (batch,).

    Args:
        difference: score minus baseline score, (batch,).
    """
    return TOLERANCE * difference.abs().clamp_min(MIN_DIFFERENCE)


def integrate(network: Network, windows: Tensor, starts: Tensor, frozen: FrozenScore, steps: int) -> Tensor:
    """Return integrated gradients, (batch, time, feature).

    Args:
        network: to differentiate.
        windows: ends of the paths, (batch, time, feature).
        starts: starts of the paths, (batch, time, feature).
        frozen: score of the windows.
        steps: quadrature nodes.
    """
    return mean_gradient(network, windows, starts, frozen, steps).mul_(windows - starts)


def mean_gradient(
    network: Network, windows: Tensor, starts: Tensor, frozen: FrozenScore, steps: int
) -> Tensor:
    """Return the mean of d score / d input on the path, (batch, time, feature); arguments as of `integrate`."""
    nodes, weights = _nodes(steps, windows.dtype)
    difference = windows - starts
    result = torch.empty_like(windows)
    for part in chunks(len(windows), steps, rows_at_once(network)):
        points = torch.addcmul(starts[part][:, None], nodes, difference[part][:, None])
        gradient = gradient_at(network, points.flatten(0, 1), frozen.rows(part), steps)
        result[part] = torch.einsum("nstf,s->ntf", gradient.view_as(points), weights)
    return result


@dataclass(frozen=True, slots=True)
class FirstPass:
    """Scores at both ends of the paths, and the integral with the initial number of steps."""

    logits: Tensor
    """Of the windows, (batch, 3)."""
    frozen: FrozenScore
    score: Tensor
    """Of the windows, (batch,)."""
    start_score: Tensor
    """Of the starts, (batch,)."""
    values: Tensor
    """Integrated gradients, (batch, time, feature)."""


def first_pass(
    network: Network, windows: Tensor, starts: Tensor, score_spec: ScoreSpec, steps: int
) -> FirstPass:
    """Compute both ends and the integral; a small batch takes one forward and one backward pass.

    Args:
        network: to differentiate.
        windows: ends of the paths, (batch, time, feature).
        starts: starts of the paths, (batch, time, feature).
        score_spec: which score.
        steps: quadrature nodes.
    """
    count, rows = steps + 2, len(windows)
    if rows * count > PASSES_AT_ONCE:
        with torch.no_grad():
            logits, start_logits = network(torch.cat([windows, starts])).chunk(2)
        frozen = score_spec.freeze(logits)
        values = integrate(network, windows, starts, frozen, steps)
        return FirstPass(logits, frozen, frozen.of(logits), frozen.of(start_logits), values)
    nodes, weights = _nodes_with_ends(steps, windows.dtype)
    difference = windows - starts
    points = torch.addcmul(starts[:, None], nodes, difference[:, None]).flatten(0, 1)
    point_logits, pullback = vjp(network, points)
    by_row = point_logits.view(rows, count, 3)
    logits, start_logits = by_row[:, -1], by_row[:, 0]
    frozen = score_spec.freeze(logits)
    gradient = pullback(frozen.slope(point_logits, count))
    mean = torch.einsum("nstf,s->ntf", gradient.view(rows, count, *windows.shape[1:]), weights)
    return FirstPass(logits, frozen, frozen.of(logits), frozen.of(start_logits), mean * difference)


def until_complete(
    compute: Callable[[Tensor, int], Tensor], values: Tensor, difference: Tensor, first: int, last: int
) -> tuple[Tensor, Tensor]:
    """Double the steps of rows until their cells sum to `difference` within `completeness_limit`.

    Args:
        compute: returns the maps (n, time, feature) of rows, given by their numbers (n,), with a number of steps.
        values: maps with `first` steps, (batch, time, feature); incomplete rows are replaced in place.
        difference: score minus baseline score, (batch,).
        first: steps of `values`.
        last: largest number of steps; equal to `first` to keep `values`.

    Returns:
        The maps (batch, time, feature) and the steps of each row (batch,).
    """
    row_steps, steps = torch.full((len(difference),), first), first
    limit = completeness_limit(difference)
    while steps < last:
        incomplete = ((values.sum((1, 2)) - difference).abs() > limit).nonzero()[:, 0]
        if not len(incomplete):
            break
        steps = min(2 * steps, last)
        values[incomplete], row_steps[incomplete] = compute(incomplete, steps), steps
    return values, row_steps


@cache
def _nodes_with_ends(steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return nodes and weights as `_nodes`, enclosed by 0 and 1, which have no weight."""
    nodes, weights = _nodes(steps, dtype)
    zero, one = torch.zeros(1, 1, 1, dtype=dtype), torch.ones(1, 1, 1, dtype=dtype)
    return torch.cat([zero, nodes, one]), torch.cat([zero[0, 0], weights, zero[0, 0]])


@cache
def _nodes(steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return nodes (step, 1, 1) and weights (step,) of the quadrature on 0-1."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return torch.tensor((nodes + 1) / 2, dtype=dtype)[:, None, None], torch.tensor(weights / 2, dtype=dtype)
