"""Scaled gradient: the gradient times the size of each cell's departure from the baseline.

A = d score / d x * sqrt((x - b)^2 + s^2), with b the baseline (by default the training mean) and s the training
standard deviation of each feature. The unit of the feature cancels: cells are score differences, comparable across
features. The sign is that of the gradient: positive where a larger value raises the score. The root is the size of a
typical departure from b: unlike in gradient x (input - baseline), a cell that is at the baseline and to which the
network is sensitive does not vanish.
"""

from torch import Tensor

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    GradientMethod,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    forward_and_gradient,
)


class ScaledGradient(GradientMethod):
    """d score / d input, times the root mean square departure of the input from the baseline."""

    quantity = Quantity.IMPORTANCE
    default_baseline = BaselineKind.MEAN

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.score_spec)
        return Attribution(logits, gradient * departure(rows), frozen, score)


def departure(rows: Rows) -> Tensor:
    """Return sqrt((input - baseline)^2 + deviation^2), in units of the feature, (batch, time, feature)."""
    return (rows.windows - rows.baseline).hypot(rows.deviation)
