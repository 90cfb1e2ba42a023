"""Grad-CAM: the positions of the last convolution that increase the score.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra (2017), "Grad-CAM: visual explanations from deep
networks", eq. 1 and 2, with nearest-neighbor upsampling. The map is no finer than the convolution: a
1D-CNN gives one value for each bar, a pooled 2D-CNN gives blocks.
"""

import torch

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    scorer_of,
    upsampled,
)
from glasstape_server.explain.scores import Score
from glasstape_server.models.networks.network import Convolutional
from glasstape_server.models.scorer import Scorer


class GradCam:
    """Unsigned relevance of the positions of the last convolution."""

    quantity = Quantity.RELEVANCE
    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether the network exposes a convolution."""
        return isinstance(network, Scorer) and isinstance(network.network, Convolutional)

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward pass, and one backward pass through the head."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        scorer = scorer_of(network)
        with torch.no_grad():
            activations = scorer.convolve(rows.windows)
        leaf = activations.requires_grad_(True)
        with torch.enable_grad():
            logits = scorer.classify(leaf)
            frozen = request.score_spec.freeze(logits)
            (gradient,) = torch.autograd.grad(logits, leaf, frozen.slope(logits))
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        map_ = torch.relu((weights * activations.detach()).sum(dim=1))
        native = (map_.shape[1], map_.shape[2])
        return Attribution(
            logits.detach(),
            upsampled(map_, rows.shape),
            frozen,
            frozen.of(logits.detach()),
            native_shape=native,
        )
