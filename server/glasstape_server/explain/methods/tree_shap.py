"""TreeSHAP: exact Shapley values of single cells, for gradient-boosted trees.

Lundberg, Erion, Chen et al. (2020), "From local explanations to global understanding with explainable AI for trees",
algorithm 2: cells outside a coalition follow each split to both sides, in proportion to the training windows that went
there. `models.networks.tree_paths` has the computation. The baseline score is the mean score of the training windows.
"""

import torch
from torch import Tensor, nn

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    scorer_of,
)
from glasstape_server.explain.scores import Score
from glasstape_server.models.networks.ensemble import Ensemble
from glasstape_server.models.networks.trees import Trees
from glasstape_server.models.scorer import Scorer


class TreeShap:
    """Contribution of each cell to a score that is linear in the logits, averaged over all orders of the cells."""

    quantity = Quantity.CONTRIBUTION
    default_score = Score.MARGIN
    default_baseline: BaselineKind | None = None
    max_samples = 0

    def serves(self, network: object, shape: Shape) -> bool:
        """Return whether the network is trees, or an ensemble of nothing but trees."""
        return isinstance(network, Scorer) and bool(_trees_of(network.network))

    def passes(self, samples: int, shape: Shape) -> int:
        """The tables take about as long as these forward passes."""
        return 12

    @torch.no_grad()
    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`.

        Raises:
            ValueError: the score is not linear in the logits.
        """
        if request.score_spec.score is Score.LOG_PROBABILITY:
            raise ValueError("TreeSHAP explains scores that are linear in the logits, not log probabilities")
        scorer = scorer_of(network)
        logits = scorer(rows.windows)
        frozen = request.score_spec.freeze(logits)
        score = frozen.of(logits)
        values, expected = _shapley_values(scorer, rows.windows)
        weights = frozen.weights.double()
        maps = torch.einsum("nc,ncx->nx", weights, values).to(logits.dtype).view(-1, *rows.shape)
        start = (weights @ expected).to(logits.dtype)
        error = (maps.sum((1, 2)) - (score - start)).abs()
        return Attribution(logits, maps, frozen, score, start, error)


def _shapley_values(scorer: Scorer, windows: Tensor) -> tuple[Tensor, Tensor]:
    """Return Shapley values (batch, class, cell) and expected logits (class,) of trees, the means over an ensemble."""
    cells = scorer.normalized(windows).flatten(1)
    members = _trees_of(scorer.network)
    values = torch.stack([trees.paths.shapley_values(cells) for trees in members]).mean(dim=0)
    return values, torch.stack([trees.paths.expected for trees in members]).mean(dim=0)


def _trees_of(network: nn.Module) -> list[Trees]:
    """Return the trees that a network is made of; none if it has other members."""
    members = list(network.members) if isinstance(network, Ensemble) else [network]
    trees = [member for member in members if isinstance(member, Trees)]
    return trees if len(trees) == len(members) else []
