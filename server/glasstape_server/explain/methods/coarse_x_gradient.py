"""A coarse map for where, the gradient times (input - baseline) for what: a full map, with sign.

With Grad-CAM the same product as Guided Grad-CAM (Selvaraju et al. 2017, section 3.4), with a plain gradient
in place of guided backpropagation, which does not depend on the model (Adebayo et al. 2018). With attention
after Chefer, Gur and Wolf (2021), "Transformer interpretability beyond attention visualization", which
weighs attention with gradients; here at the input, so that features are told apart.
"""

import torch

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Method,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    forward_and_gradient,
)


class CoarseXGradient:
    """Gradient times (input - baseline), weighted with a coarse map whose largest cell counts 1."""

    quantity = Quantity.EFFECT
    default_baseline: BaselineKind | None = BaselineKind.MEAN
    max_samples = 0

    def __init__(self, coarse: Method) -> None:
        self.coarse = coarse
        """Where: a method whose map is never negative."""

    def serves(self, network: object, shape: Shape) -> bool:
        """Where the coarse method does."""
        return self.coarse.serves(network, shape)

    def passes(self, samples: int, shape: Shape) -> int:
        """The coarse map's, a forward and a backward."""
        return self.coarse.passes(samples, shape) + 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Both maps, multiplied cell by cell."""
        where = self.coarse.attribute(network, rows, request).values
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.question)
        peak = where.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(where.dtype).tiny)
        values = where / peak * gradient * (rows.windows - rows.baseline)
        return Attribution(logits, values, frozen, score)
