"""Gradient: the derivative of the score with respect to each input cell.

Simonyan, Vedaldi and Zisserman (2013), "Deep inside convolutional networks", eq. 3, with its sign.
"""

from glasstape_server.explain.method import (
    Attribution,
    GradientMethod,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    forward_and_gradient,
)


class Gradient(GradientMethod):
    """d score / d input."""

    quantity = Quantity.SENSITIVITY

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.score_spec)
        return Attribution(logits, gradient, frozen, score)
