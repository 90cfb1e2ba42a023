"""Attention rollout: the share of each input token in what the network reads its logits from.

Abnar and Zuidema (2020), "Quantifying attention flow in transformers", section 3.1: the weights of all
layers, each averaged with the identity for the residual path, multiplied from the readout back to the
input. A Transformer over bars gives one value for each bar; only attention over both axes gives a full map.
"""

import torch
from torch import Tensor

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
from glasstape_server.models.networks.network import AttentionWeights, Attentive
from glasstape_server.models.scorer import Scorer


class AttentionRollout:
    """Relevance of the tokens: >= 0, sums to 1 at native resolution, independent of the target."""

    quantity = Quantity.RELEVANCE
    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether the network exposes its attention."""
        return isinstance(network, Scorer) and isinstance(network.network, Attentive)

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward pass."""
        return 1

    @torch.no_grad()
    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        logits, weights = scorer_of(network).attend(rows.windows)
        frozen = request.score_spec.freeze(logits)
        map_ = rollout(weights)
        native = (map_.shape[1], map_.shape[2])
        return Attribution(
            logits, upsampled(map_, rows.shape), frozen, frozen.of(logits), native_shape=native
        )


def rollout(weights: AttentionWeights) -> Tensor:
    """Return the share of each input token in the readout, (batch, time', feature')."""
    share = weights.readout
    for layer in reversed(weights.layers):
        letters = "btf,bftk->bkf" if layer.axis == "time" else "btf,btfk->btk"
        share = 0.5 * share + 0.5 * torch.einsum(letters, share, layer.weights)
    return share
