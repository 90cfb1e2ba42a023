"""Events as numpy arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventColumns:
    """Events by column, oldest first: each array has a row for each event."""

    sequence: NDArray[np.int64]
    """Position in the journal, (n,)."""
    kind: NDArray[np.str_]
    """Values of `EventKind`: "confidence", "buy" or "outcome", (n,)."""
    symbol: NDArray[np.str_]
    """(n,)"""
    interval: NDArray[np.str_]
    """(n,)"""
    bar_close_time: NDArray[np.datetime64]
    """datetime64[us], UTC, (n,)."""
    publish_time: NDArray[np.datetime64]
    """datetime64[us], UTC, (n,)."""
    close: NDArray[np.float64]
    """Close of the signal's bar, (n,); NaN for an outcome."""
    probabilities: NDArray[np.float64]
    """Of DOWN, FLAT and UP; an outcome has those of its signal, (n, 3)."""
    abstained: NDArray[np.bool_]
    """Whether the signal abstained, (n,)."""

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.sequence)
