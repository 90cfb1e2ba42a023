"""Expected gradients: integrated gradients averaged over ordinary windows as baselines.

Erion, Janizek, Sturmfels, Lundberg and Lee (2021), "Improving performance of deep learning models with
axiomatic attribution priors and expected gradients", eq. 3, over the whole background and with
quadrature instead of one random draw. Complete against the mean score of the background.
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
)
from glasstape_server.explain.path import integrate, until_complete

FIRST_STEPS = 8
MAX_STEPS = 64
MAX_POINTS = 2048
"""Points of one row at most while steps are doubled: more would hold up everybody else."""


class ExpectedGradients(Everywhere):
    """What each cell adds to the score, against an ordinary window."""

    quantity = Quantity.CONTRIBUTION
    default_baseline = BaselineKind.BACKGROUND
    max_samples = MAX_STEPS

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward and a backward at each step, from one background window."""
        return 2 * (samples or FIRST_STEPS)

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Integrate with `samples` steps from each background window, or with as many as needed, up to 64
        and 2,048 points in all."""
        background = rows.background
        count = len(background)
        with torch.no_grad():
            logits = network(rows.windows)
            frozen = request.question.freeze(logits)
            score = frozen.of(logits)
            starts = network(background).repeat(len(rows), 1)
            start = frozen.of(starts, count).view(len(rows), count).mean(dim=1)

        def mean_map(part: Tensor, steps: int) -> Tensor:
            repeated = part.repeat_interleave(count)
            origins = background.repeat(len(part), 1, 1)
            each = integrate(network, rows.windows[repeated], origins, frozen.rows(repeated), steps)
            return each.view(len(part), count, *rows.shape).mean(dim=1)

        first = request.samples or FIRST_STEPS
        last = first if request.samples else max(first, min(MAX_STEPS, MAX_POINTS // count))
        begun = mean_map(torch.arange(len(rows)), first)
        values, taken = until_complete(mean_map, begun, score - start, first, last)
        error = (values.sum((1, 2)) - (score - start)).abs()
        return Attribution(logits, values, frozen, score, start, error, taken)
