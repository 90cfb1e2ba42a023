"""Grad-CAM: which positions of the last convolution raise the score, and that map times the gradient.

Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra (2017), "Grad-CAM: visual explanations from deep
networks", eq. 1 and 2, with nearest-neighbour upsampling. The map is no finer than the convolution: a
1D-CNN gives one value for each bar, a pooled 2D-CNN gives blocks.
"""

import torch
from torch import Tensor
from torch.nn import functional

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
    scorer_of,
)
from glasstape_server.models.artefact import Scorer
from glasstape_server.models.network import Convolutional


class GradCam:
    """Relevance of the positions of the last convolution, without sign."""

    quantity = Quantity.RELEVANCE
    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Networks that show a convolution."""
        return isinstance(network, Scorer) and isinstance(network.network, Convolutional)

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward, and a backward through the head alone."""
        return 2

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """One forward, and one backward to the convolution."""
        scorer = scorer_of(network)
        with torch.no_grad():
            activations = scorer.convolve(rows.windows)
        leaf = activations.requires_grad_(True)
        with torch.enable_grad():
            logits = scorer.classify(leaf)
            frozen = request.question.freeze(logits)
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


class GradCamXGradient(Everywhere):
    """Grad-CAM for where, the gradient times (input - baseline) for what: a full map, with sign.

    The same product as Guided Grad-CAM (Selvaraju et al. 2017, section 3.4), with a plain gradient in
    place of guided backpropagation, which does not depend on the model (Adebayo et al. 2018).
    """

    quantity = Quantity.EFFECT
    default_baseline = BaselineKind.MEAN

    def serves(self, network: object, shape: Shape) -> bool:
        """Networks that show a convolution."""
        return GradCam().serves(network, shape)

    def passes(self, samples: int, shape: Shape) -> int:
        """Both."""
        return 4

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Both maps, multiplied cell by cell."""
        where = GradCam().attribute(network, rows, request).values
        return weighted_gradient(network, rows, request, where)


def weighted_gradient(network: Network, rows: Rows, request: Request, where: Tensor) -> Attribution:
    """Gradient times (input - baseline), weighted with a map whose largest cell counts 1."""
    logits, frozen, score, gradient = forward_and_gradient(network, rows.windows, request.question)
    peak = where.amax(dim=(1, 2), keepdim=True).clamp_min(torch.finfo(where.dtype).tiny)
    return Attribution(logits, where / peak * gradient * (rows.windows - rows.baseline), frozen, score)


def upsampled(coarse: Tensor, shape: Shape) -> Tensor:
    """Nearest-neighbour upsampling of (batch, time', feature') to (batch, *shape)."""
    if coarse.shape[1:] == shape:
        return coarse
    return functional.interpolate(coarse[:, None], shape, mode="nearest")[:, 0]
