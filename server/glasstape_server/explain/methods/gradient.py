"""The original method: the derivative of the score by each input cell.

Simonyan, Vedaldi and Zisserman (2013), "Deep inside convolutional networks", eq. 3, with its sign.
"""

from glasstape_server.explain.method import (
    Attribution,
    Everywhere,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    forward_and_gradient,
)


class Gradient(Everywhere):
    """d score / d input: what would change the score."""

    quantity = Quantity.SENSITIVITY

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward and a backward."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """One forward, one backward."""
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.question)
        return Attribution(logits, gradient, frozen, score)
