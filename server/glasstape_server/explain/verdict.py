"""How far a map can be trusted, from what is known without further forward passes."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from glasstape_server.domain import Float32s
from glasstape_server.explain.method import Quantity

SMALLEST = 1e-8
"""A map whose largest cell is below this shows nothing."""


class Verdict(IntEnum):
    """Verdicts. Values as on the wire."""

    RELIABLE = 1
    CAUTION = 2
    DEGENERATE = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its reasons."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge_fast(
    values: Float32s, quantity: Quantity, difference: float | None, completeness_error: float | None
) -> Judgement:
    """Judge one map (time, feature) by the map itself. Never says RELIABLE.

    Args:
        values: the map.
        quantity: what its numbers are.
        difference: score minus baseline score, where defined.
        completeness_error: how far the cells' sum is from that difference, where defined.
    """
    if not np.isfinite(values).all():
        return Judgement(Verdict.DEGENERATE, ("the map is not finite",))
    peak = float(np.abs(values).max())
    if peak < SMALLEST:
        return Judgement(Verdict.DEGENERATE, (f"no cell exceeds {SMALLEST:g} (largest: {peak:.3g})",))
    reasons = ["not compared with other methods (quality FAST)"]
    if quantity is Quantity.CONTRIBUTION and difference is not None and completeness_error is not None:
        limit = 0.01 * max(abs(difference), 0.05)
        if not completeness_error <= limit:
            reasons.insert(0, f"completeness error {completeness_error:.3g} exceeds {limit:.3g}")
    return Judgement(Verdict.CAUTION, tuple(reasons))
