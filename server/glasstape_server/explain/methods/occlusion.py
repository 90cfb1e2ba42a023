"""Occlusion: replace one cell by the baseline and see what the score loses, for every cell.

Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2, with
patches of one cell: 6 x 8 is small enough to try them all.
"""

from functools import cache

import torch
from torch import Tensor

from glasstape_server.explain.method import (
    PASSES_AT_ONCE,
    Attribution,
    BaselineKind,
    Everywhere,
    Network,
    Quantity,
    Request,
    Rows,
    Shape,
    chunks,
)
from glasstape_server.explain.scores import FrozenScore


class Occlusion(Everywhere):
    """score(input) - score(input with the cell replaced): a measured effect, no gradient."""

    quantity = Quantity.EFFECT
    default_baseline = BaselineKind.MEAN

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward for every cell and one for the row itself."""
        return shape[0] * shape[1] + 1

    @torch.no_grad()
    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Every cell of every row, in few large forwards."""
        if len(rows) * self.passes(0, rows.shape) <= PASSES_AT_ONCE:  # the rows themselves go along
            every = network(torch.cat([rows.windows, _occluded(rows, slice(None)).flatten(0, 1)]))
            logits, left = every[: len(rows)], every[len(rows) :]
            frozen = request.question.freeze(logits)
            score = frozen.of(logits)
            return Attribution(logits, _lost(score, frozen, left, rows.shape), frozen, score)
        logits = network(rows.windows)
        frozen = request.question.freeze(logits)
        score = frozen.of(logits)
        return Attribution(logits, occlude(network, rows, frozen, score), frozen, score)


@torch.no_grad()
def occlude(network: Network, rows: Rows, frozen: FrozenScore, score: Tensor) -> Tensor:
    """The map, (batch, time, feature)."""
    values = torch.empty_like(rows.windows)
    for part in chunks(len(rows), rows.shape[0] * rows.shape[1]):
        left = network(_occluded(rows, part).flatten(0, 1))
        values[part] = _lost(score[part], frozen.rows(part), left, rows.shape)
    return values


def _occluded(rows: Rows, part: slice) -> Tensor:
    """Windows with one cell replaced each, (row, cell, time, feature)."""
    return torch.where(_one_cell(*rows.shape), rows.baseline[part][:, None], rows.windows[part][:, None])


def _lost(score: Tensor, frozen: FrozenScore, left: Tensor, shape: Shape) -> Tensor:
    cells = shape[0] * shape[1]
    return (score[:, None] - frozen.of(left, cells).view(-1, cells)).view(-1, *shape)


@cache
def _one_cell(steps: int, features: int) -> Tensor:
    return torch.eye(steps * features, dtype=torch.bool).view(-1, steps, features)
