"""Occlusion: the decrease of the score when a cell is replaced by the baseline, for every cell.

Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2, with patches of one
cell.
"""

from functools import cache

import torch
from torch import Tensor

from glasstape_server.explain.method import (
    PASSES_AT_ONCE,
    AnyNetworkMethod,
    Attribution,
    BaselineKind,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    chunks,
)
from glasstape_server.explain.scores import FrozenScore, Score


class Occlusion(AnyNetworkMethod):
    """score(input) - score(input with the cell replaced), without gradients."""

    quantity = Quantity.EFFECT
    default_score = Score.LOG_PROBABILITY
    default_baseline = BaselineKind.MEAN

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward pass per cell, and one of the row itself."""
        return shape[0] * shape[1] + 1

    @torch.no_grad()
    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`."""
        if len(rows) * self.passes(0, rows.shape) <= PASSES_AT_ONCE:  # one forward pass for everything
            every = network(torch.cat([rows.windows, _occluded(rows, slice(None)).flatten(0, 1)]))
            logits, occluded_logits = every[: len(rows)], every[len(rows) :]
            frozen = request.score_spec.freeze(logits)
            score = frozen.of(logits)
            return Attribution(logits, _effect(score, frozen, occluded_logits, rows.shape), frozen, score)
        logits = network(rows.windows)
        frozen = request.score_spec.freeze(logits)
        score = frozen.of(logits)
        return Attribution(logits, occlude(network, rows, frozen, score), frozen, score)


@torch.no_grad()
def occlude(network: Network, rows: Rows, frozen: FrozenScore, score: Tensor) -> Tensor:
    """Return the maps, (batch, time, feature).

    Args:
        network: to explain.
        rows: the batch.
        frozen: score of the rows.
        score: of the unoccluded rows, (batch,).
    """
    values = torch.empty_like(rows.windows)
    for part in chunks(len(rows), rows.shape[0] * rows.shape[1]):
        logits = network(_occluded(rows, part).flatten(0, 1))
        values[part] = _effect(score[part], frozen.rows(part), logits, rows.shape)
    return values


def _occluded(rows: Rows, part: slice) -> Tensor:
    """Return windows with one cell replaced each, (row, cell, time, feature)."""
    return torch.where(_cell_masks(*rows.shape), rows.baseline[part][:, None], rows.windows[part][:, None])


def _effect(score: Tensor, frozen: FrozenScore, occluded_logits: Tensor, shape: Shape) -> Tensor:
    cells = shape[0] * shape[1]
    return (score[:, None] - frozen.of(occluded_logits, cells).view(-1, cells)).view(-1, *shape)


@cache
def _cell_masks(steps: int, features: int) -> Tensor:
    return torch.eye(steps * features, dtype=torch.bool).view(-1, steps, features)
