"""Integrated gradients: the mean gradient along the straight path from the baseline, times (input - baseline).

Sundararajan, Taly and Yan (2017), "Axiomatic attribution for deep networks", eq. 1. Complete: the cells sum to score
minus baseline score.
"""

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
from glasstape_server.explain.path import first_pass, integrate, until_complete

FIRST_STEPS = 8
MAX_STEPS = 512


class IntegratedGradients(GradientMethod):
    """Contribution of each cell to the score, relative to the baseline."""

    quantity = Quantity.CONTRIBUTION
    default_baseline = BaselineKind.MEAN
    max_samples = MAX_STEPS

    def passes(self, samples: int, shape: Shape) -> int:
        """One forward and one backward pass per step."""
        return 2 * (samples or FIRST_STEPS)

    def attribute(self, network: Network, rows: Rows, request: Request) -> Attribution:
        """See `Method.attribute`.

        Takes `request.samples` steps; if 0, as many as completeness needs, 8 to 512.
        """
        first, last = (request.samples, request.samples) if request.samples else (FIRST_STEPS, MAX_STEPS)
        initial = first_pass(network, rows.windows, rows.baseline, request.score_spec, first)
        difference = initial.score - initial.start_score
        values, row_steps = until_complete(
            lambda part, steps: integrate(
                network, rows.windows[part], rows.baseline[part], initial.frozen.rows(part), steps
            ),
            initial.values,
            difference,
            first,
            last,
        )
        error = (values.sum((1, 2)) - difference).abs()
        return Attribution(
            initial.logits, values, initial.frozen, initial.score, initial.start_score, error, row_steps
        )
