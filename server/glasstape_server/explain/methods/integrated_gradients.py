"""Integrated gradients: the gradient along the straight path from the baseline, times the way.

Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks", eq. 1. Complete: the cells
sum to score minus baseline score.
"""

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
from glasstape_server.explain.path import first_pass, integrate, until_complete

FIRST_STEPS = 32
MAX_STEPS = 512


class IntegratedGradients(Everywhere):
    """What each cell adds to the score, against the baseline."""

    quantity = Quantity.CONTRIBUTION
    default_baseline = BaselineKind.MEAN
    max_samples = MAX_STEPS

    def passes(self, samples: int, shape: Shape) -> int:
        """A forward and a backward at each step."""
        return 2 * (samples or FIRST_STEPS)

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """Integrate with `samples` steps, or with 32 and as many more as completeness needs, up to 512."""
        first, last = (request.samples, request.samples) if request.samples else (FIRST_STEPS, MAX_STEPS)
        begun = first_pass(network, rows.windows, rows.baseline, request.question, first)
        difference = begun.score - begun.start
        values, taken = until_complete(
            lambda part, steps: integrate(
                network, rows.windows[part], rows.baseline[part], begun.frozen.rows(part), steps
            ),
            begun.values,
            difference,
            first,
            last,
        )
        error = (values.sum((1, 2)) - difference).abs()
        return Attribution(begun.logits, values, begun.frozen, begun.score, begun.start, error, taken)
