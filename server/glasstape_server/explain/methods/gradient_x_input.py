"""Gradient times (input - baseline): the effect of each cell, to first order.

Shrikumar, Greenside, Shcherbina and Kundaje (2016), "Not just a black box", section 2.
"""

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Everywhere,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    forward_and_gradient,
)


class GradientXInput(Everywhere):
    """What each cell adds against the baseline, as far as the score is linear."""

    quantity = Quantity.EFFECT
    default_baseline = BaselineKind.ZERO

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward and a backward."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """One forward, one backward."""
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.question)
        return Attribution(logits, gradient * (rows.windows - rows.baseline), frozen, score)
