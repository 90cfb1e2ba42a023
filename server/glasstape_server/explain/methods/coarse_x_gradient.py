"""A coarse relevance map times gradient x (input - baseline): a signed map at full resolution.

With Grad-CAM this is the product of Guided Grad-CAM (Selvaraju et al. 2017, section 3.4), with a plain gradient
in place of guided backpropagation, which does not depend on the model (Adebayo et al. 2018). With attention it follows
Chefer, Gur and Wolf (2021), "Transformer interpretability beyond attention visualization", which weights attention
with gradients; here with gradients at the input, which distinguish features.
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
from glasstape_server.explain.scores import Score


class CoarseXGradient:
    """Gradient times (input - baseline), weighted with a coarse map scaled to a maximum of 1."""

    quantity = Quantity.EFFECT
    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = BaselineKind.MEAN
    max_samples = 0

    def __init__(self, coarse: Method) -> None:
        self.coarse = coarse
        """Method with a non-negative map, which becomes the weight."""

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether the coarse method serves the network."""
        return self.coarse.serves(network, shape)

    def passes(self, samples: int, shape: Shape) -> int:
        """Passes of the coarse map, plus one forward and one backward pass."""
        return self.coarse.passes(samples, shape) + 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        weights = self.coarse.attribute(network, rows, request).values
        logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.score_spec)
        peak = weights.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
        values = weights / peak * gradient * (rows.windows - rows.baseline)
        return Attribution(logits, values, frozen, score)
