"""Gradient times (input - baseline): the effect of each cell, to first order.

Shrikumar, Greenside, Shcherbina and Kundaje (2016), "Not just a black box", section 2.
"""

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


class GradientXInput(GradientMethod):
    """First-order effect of each cell, relative to the baseline."""

    quantity = Quantity.EFFECT
    default_baseline = BaselineKind.MEAN

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.score_spec)
        return Attribution(logits, gradient * (rows.windows - rows.baseline), frozen, score)
