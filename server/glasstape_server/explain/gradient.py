"""The original method: the derivative of the score by each input cell.

Simonyan, Vedaldi and Zisserman (2013), "Deep inside convolutional networks", eq. 3, with its sign.
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


class Gradient:
    """d score / d input: what would change the score."""

    quantity = Quantity.SENSITIVITY
    default_baseline: BaselineKind | None = None

    def passes(self, samples: int, cells: int) -> int:
        """A forward and a backward."""
        return 2

    def attribute(self, network: Network, windows: Tensor, baseline: Tensor, request: Request) -> Attribution:
        """One forward, one backward."""
        logits, frozen, score, gradient = forward_and_gradient(network, windows, request.question)
        return Attribution(logits, gradient, frozen, score)
