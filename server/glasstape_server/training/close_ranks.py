"""Ranks of all symbols of a data set within each close."""

from collections.abc import Sequence

import numpy as np

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.features.cross_section import rank_within

BARS_AT_ONCE = 1 << 20
"""Bars that are ranked at once; closes are not divided."""


def rank_rows(rows: Float32s, close_time: Ints, columns: Sequence[int], at_once: int = BARS_AT_ONCE) -> None:
    """Replace the values of ranked features by their ranks, in place.

    Bars of a few closes at a time: those of each symbol are neighbors, so that a file is read about once.

    Args:
        rows: of all symbols, (bar, feature), as `compute.unranked` returns them.
        close_time: of each row, microseconds, (bar,).
        columns: of the ranked features.
        at_once: bars that are ranked at once; one close at least.
    """
    order = np.argsort(close_time, kind="stable")
    ordered = close_time[order]
    begin = 0
    while begin < len(order):
        last = ordered[min(begin + at_once, len(order)) - 1]
        end = int(np.searchsorted(ordered, last, side="right"))
        chosen = order[begin:end, None], list(columns)
        rows[chosen] = rank_within(ordered[begin:end], rows[chosen])
        begin = end
