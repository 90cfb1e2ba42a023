"""Occlusion: replace one cell by the baseline and see what the score loses, for every cell.

Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2, with
patches of one cell: 6 x 8 is small enough to try them all.
"""

import torch
from torch import Tensor

from glasstape_server.explain.method import (
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
        logits = network(rows.windows)
        frozen = request.question.freeze(logits)
        score = frozen.of(logits)
        return Attribution(logits, occlude(network, rows, frozen, score), frozen, score)


@torch.no_grad()
def occlude(network: Network, rows: Rows, frozen: FrozenScore, score: Tensor) -> Tensor:
    """The map, (batch, time, feature)."""
    cells = rows.shape[0] * rows.shape[1]
    replaced = torch.eye(cells, dtype=torch.bool).view(cells, *rows.shape)
    values = torch.empty_like(rows.windows)
    for part in chunks(len(rows), cells):
        occluded = torch.where(replaced, rows.baseline[part][:, None], rows.windows[part][:, None])
        left = frozen.rows(part).of(network(occluded.flatten(0, 1)), cells)
        values[part] = (score[part][:, None] - left.view(-1, cells)).view(-1, *rows.shape)
    return values
