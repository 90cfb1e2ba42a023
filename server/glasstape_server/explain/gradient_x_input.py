"""Gradient times (input - baseline): the effect of each cell, to first order.

Shrikumar, Greenside, Shcherbina and Kundaje (2016), "Not just a black box", section 2.
"""

from torch import Tensor

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    forward_and_gradient,
)


class GradientXInput:
    """What each cell adds against the baseline, as far as the score is linear."""

    quantity = Quantity.EFFECT
    default_baseline: BaselineKind | None = BaselineKind.ZERO

    def passes(self, samples: int, cells: int) -> int:
        """A forward and a backward."""
        return 2

    def attribute(self, network: Network, windows: Tensor, baseline: Tensor, request: Request) -> Attribution:
        """One forward, one backward."""
        logits, frozen, score, gradient = forward_and_gradient(network, windows, request.question)
        return Attribution(logits, gradient * (windows - baseline), frozen, score)
