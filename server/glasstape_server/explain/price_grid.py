"""Prices that a tick allows near other prices, at every resolution.

A price is rounded to the tick and to its multiples. The multiples of a tick contain those of each of its multiples, so
that a finer tick offers every price that a coarser one does.
"""

import numpy as np

from glasstape_server.domain.arrays import Floats

MULTIPLES = 1 << 16
"""Largest multiple of the tick to round to."""


class PriceGrid:
    """Rounding of the open, high, low and close of one bar."""

    def __init__(self, tick: float, prices: Floats, largest_move: float) -> None:
        """Set the steps.

        Args:
            tick: smallest price step; 0 for six significant digits of the close.
            prices: traded open, high, low and close, (4,).
            largest_move: of a price; no price is rounded to a coarser step.
        """
        size = int(np.floor(np.log10(prices[3])))
        self._prices = prices
        self._decimals = 11 - size
        finest = tick or 10.0 ** min(0, size - 5)
        count = int(np.clip(largest_move / finest, 0, MULTIPLES))
        steps = np.round(np.arange(1, count + 1) * finest, max(0, self._decimals))
        self._steps = steps[steps > 0]

    @property
    def finest(self) -> Floats:
        """The tick, (1,); (0,) if it exceeds the largest move."""
        return self._steps[:1]

    def coarser(self, low: Floats, high: Floats) -> Floats:
        """Return the multiples of the tick, from 2, with a multiple within each range, (step,).

        Args:
            low: lower ends, (n,).
            high: upper ends, (n,).
        """
        steps = self._steps[1:, None]
        within = np.floor(high / steps + 1e-9) >= np.ceil(low / steps - 1e-9)
        return np.asarray(steps[within.all(axis=1), 0])

    def rounded(self, prices: Floats, steps: Floats) -> Floats:
        """Round prices (n, 4) to steps (m,); return (n, m, 4). Moves of less than half a step are undone."""
        prices, steps = prices[:, None], steps[None, :, None]
        rounded = np.round(np.rint(prices / steps) * steps, self._decimals)
        return np.where(np.abs(prices - self._prices) < steps / 2, self._prices, rounded)
