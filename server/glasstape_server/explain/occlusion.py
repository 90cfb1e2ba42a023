"""Occlusion: replace one cell by the baseline and see what the score loses, for every cell.

Zeiler and Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2, with
patches of one cell: 6 x 8 is small enough to try them all.
"""

import torch
from torch import Tensor

from glasstape_server.explain.method import Attribution, BaselineKind, Network, Quantity, Request

ROWS_PER_PASS = 4096


class Occlusion:
    """score(input) - score(input with the cell replaced): a measured effect, no gradient."""

    quantity = Quantity.EFFECT
    default_baseline: BaselineKind | None = BaselineKind.MEAN

    def passes(self, samples: int, cells: int) -> int:
        """A forward for every cell and one for the row itself."""
        return cells + 1

    @torch.no_grad()
    def attribute(self, network: Network, windows: Tensor, baseline: Tensor, request: Request) -> Attribution:
        """Every cell of every row, in few large forwards."""
        logits = network(windows)
        frozen = request.question.freeze(logits)
        score = frozen.of(logits)
        cells = baseline.numel()
        replaced = torch.eye(cells, dtype=torch.bool).view(cells, *baseline.shape)
        values = torch.empty_like(windows)
        at_once = max(1, ROWS_PER_PASS // cells)
        for first in range(0, len(windows), at_once):
            rows = torch.arange(first, min(first + at_once, len(windows)))
            occluded = torch.where(replaced, baseline, windows[rows][:, None])
            lost = frozen.rows(rows).of(network(occluded.flatten(0, 1)), cells)
            values[rows] = (score[rows][:, None] - lost.view(-1, cells)).view(-1, *baseline.shape)
        return Attribution(logits, values, frozen, score)
