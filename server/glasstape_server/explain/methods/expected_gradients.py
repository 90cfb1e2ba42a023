"""Expected gradients: integrated gradients averaged over background windows as baselines.

Erion, Janizek, Sturmfels, Lundberg and Lee (2021), "Improving performance of deep learning models with
axiomatic attribution priors and expected gradients", eq. 3, over the whole background and with
quadrature instead of one random draw. Complete against the mean score of the background.
"""

import torch
from torch import Tensor

from glasstape_server.explain.method import (
    Attribution,
    BaselineKind,
    GradientMethod,
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
"""Points per row at which steps are no longer doubled, which bounds the delay of other calls."""


class ExpectedGradients(GradientMethod):
    """Contribution of each cell to the score, relative to the background."""

    quantity = Quantity.CONTRIBUTION
    default_baseline = BaselineKind.BACKGROUND
    max_samples = MAX_STEPS

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass per step and background window."""
        return 2 * (samples or FIRST_STEPS)

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`.

        Takes `request.samples` steps from each background window; if 0, as many as completeness needs, at most 64 and
        2,048 points in all.
        """
        background = rows.background
        count = len(background)
        with torch.no_grad():
            logits = network(rows.windows)
            frozen = request.score_spec.freeze(logits)
            score = frozen.of(logits)
            background_logits = network(background).repeat(len(rows), 1)
            start_score = frozen.of(background_logits, count).view(len(rows), count).mean(dim=1)

        def mean_map(part: Tensor, steps: int) -> Tensor:
            repeated = part.repeat_interleave(count)
            starts = background.repeat(len(part), 1, 1)
            maps = integrate(network, rows.windows[repeated], starts, frozen.rows(repeated), steps)
            return maps.view(len(part), count, *rows.shape).mean(dim=1)

        first = request.samples or FIRST_STEPS
        last = first if request.samples else max(first, min(MAX_STEPS, MAX_POINTS // count))
        initial = mean_map(torch.arange(len(rows)), first)
        values, row_steps = until_complete(mean_map, initial, score - start_score, first, last)
        error = (values.sum((1, 2)) - (score - start_score)).abs()
        return Attribution(logits, values, frozen, score, start_score, error, row_steps)
