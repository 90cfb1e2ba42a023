"""Integrated gradients: the gradient along the straight path from the baseline, times the way.

Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks", eq. 1; the integral by
Gauss-Legendre quadrature. Complete: the cells sum to score minus baseline score.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from glasstape_server.domain import Floats
from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    gradient_at,
)
from glasstape_server.explain.scores import FrozenScore

FIRST_STEPS = 32
MAX_STEPS = 512
ROWS_PER_PASS = 4096
"""Points computed at once: enough to fill the cores, few enough for the cache."""


class IntegratedGradients:
    """What each cell adds to the score, against the baseline."""

    quantity = Quantity.CONTRIBUTION
    default_baseline: BaselineKind | None = BaselineKind.MEAN

    def passes(self, samples: int, cells: int) -> int:
        """A forward and a backward at each step."""
        return 2 * (samples or FIRST_STEPS)

    def attribute(self, network: Network, windows: Tensor, baseline: Tensor, request: Request) -> Attribution:
        """Integrate with `samples` steps, or with as many as completeness needs.

        Without `samples`, rows whose completeness error exceeds 1 % of max(|score - baseline score|,
        0.05) are integrated again with twice the steps, up to 512.
        """
        with torch.no_grad():
            logits = network(windows)
            frozen = request.question.freeze(logits)
            score = frozen.of(logits)
            start = frozen.of(network(baseline[None]).expand(len(windows), -1))
        steps = request.samples or FIRST_STEPS
        values = _integrate(network, windows, baseline, frozen, steps)
        taken = torch.full((len(windows),), steps)
        difference = score - start
        limit = 0.01 * difference.abs().clamp_min(0.05)
        while request.samples == 0 and steps < MAX_STEPS:
            open_rows = ((values.sum((1, 2)) - difference).abs() > limit).nonzero()[:, 0]
            if not len(open_rows):
                break
            steps *= 2
            values[open_rows] = _integrate(
                network, windows[open_rows], baseline, frozen.rows(open_rows), steps
            )
            taken[open_rows] = steps
        error = (values.sum((1, 2)) - difference).abs()
        return Attribution(logits, values, frozen, score, start, error, taken)


@cache
def _nodes(steps: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the quadrature on 0 .. 1."""
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (nodes + 1) / 2, weights / 2


def _integrate(
    network: Network, windows: Tensor, baseline: Tensor, frozen: FrozenScore, steps: int
) -> Tensor:
    nodes, weights = (torch.tensor(part, dtype=windows.dtype) for part in _nodes(steps))
    way = windows - baseline
    result = torch.empty_like(windows)
    at_once = max(1, ROWS_PER_PASS // steps)
    for first in range(0, len(windows), at_once):
        rows = torch.arange(first, min(first + at_once, len(windows)))
        points = baseline + nodes[None, :, None, None] * way[rows][:, None]
        gradient = gradient_at(network, points.flatten(0, 1), frozen.rows(rows), steps)
        mean = (gradient.view_as(points) * weights[None, :, None, None]).sum(1)
        result[rows] = mean * way[rows]
    return result
