"""Ranks of the symbols of one close."""

from dataclasses import dataclass

import numpy as np

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.features.cross_section import rank_within


@dataclass(frozen=True, slots=True)
class CloseSection:
    """The symbols of one close."""

    numbers: Ints
    """Of the symbols, ascending, (symbol,)."""
    values: Float32s
    """What is ranked, (symbol, ranked feature)."""
    ranks: Float32s
    """(symbol, ranked feature)."""

    @classmethod
    def of(cls, numbers: Ints, values: Float32s) -> "CloseSection":
        """Rank the symbols of a close.

        Args:
            numbers: of the symbols, in any order, (symbol,).
            values: what is ranked, (symbol, ranked feature).
        """
        order = np.argsort(numbers)
        values = values[order]
        return cls(numbers[order], values, rank_within(np.zeros(len(values), dtype=np.int64), values))

    def ranks_of(self, numbers: Ints, values: Float32s) -> Float32s:
        """Return the ranks of bars, (n, ranked feature): of a symbol of the close its own, else among it and itself.

        Args:
            numbers: of the bars' symbols, (n,).
            values: of the bars, (n, ranked feature).
        """
        place = np.searchsorted(self.numbers, numbers)
        inside = place < len(self.numbers)
        inside[inside] = self.numbers[place[inside]] == numbers[inside]
        ranks = np.empty_like(values)
        ranks[inside] = self.ranks[place[inside]]
        for row in np.flatnonzero(~inside):
            together = np.concatenate([self.values, values[row : row + 1]])
            ranks[row] = rank_within(np.zeros(len(together), dtype=np.int64), together)[-1]
        return ranks
