"""Scaled path gradient: the mean gradient on the path from the baseline, times the size of each cell's departure.

A = (integral over a in 0-1 of d score / d x at b + a (x - b)) * sqrt((x - b)^2 + s^2): the path of integrated gradients
(Sundararajan, Taly and Yan 2017, eq. 1), by Gauss-Legendre quadrature, with the factor of the scaled gradient in place
of x - b. Averaging the gradient removes saturation; the factor keeps cells that are near the baseline. Cells are score
differences with the sign of the mean gradient, and do not add up to the score.
"""

import torch

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    GradientMethod,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
)
from glasstape_server.explain.methods.scaled_gradient import departure
from glasstape_server.explain.path import mean_gradient

STEPS = 8
"""Quadrature nodes: more find no more salient cells (docs/methods.md)."""


class ScaledPathGradient(GradientMethod):
    """Mean of d score / d input on the path, times the root mean square departure from the baseline."""

    quantity = Quantity.IMPORTANCE
    default_baseline = BaselineKind.MEAN
    max_samples = 512

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass per step, and one forward pass of the row itself."""
        return 2 * (samples or STEPS) + 1

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`. Takes `request.samples` steps; if 0, 8."""
        steps = request.samples or STEPS
        with torch.no_grad():
            logits = network(rows.windows)
        frozen = request.score_spec.freeze(logits)
        gradient = mean_gradient(network, rows.windows, rows.baseline, frozen, steps)
        samples = torch.full((len(rows),), steps)
        return Attribution(logits, gradient * departure(rows), frozen, frozen.of(logits), samples=samples)
