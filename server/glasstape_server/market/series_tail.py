"""The newest bars of one symbol and interval, in memory."""

import numpy as np

from glasstape_server.domain.arrays import Floats
from glasstape_server.domain.bars import Bar

CAPACITY = 128
"""Bars kept of each symbol and interval; older ones are read from disk."""


class SeriesTail:
    """The newest usable bars as columns: close time, open, high, low, close, volume.

    float64 holds prices exactly as received, and close times, which are microseconds below 2^53.
    """

    __slots__ = ("_buffer", "_end", "complete", "last_close_time", "last_values")

    def __init__(self) -> None:
        self._buffer = np.empty((6, 2 * CAPACITY))
        self._end = 0
        self.complete = True
        """Whether no older bar is on disk."""
        self.last_close_time = 0
        """Close time of the newest final bar, whether usable or not; 0: none."""
        self.last_values: tuple[float, ...] = ()

    def append(self, bar: Bar) -> None:
        """Append the next final bar. Bars that are not usable advance the time and are not kept."""
        self.last_close_time, self.last_values = bar.close_time, bar.values
        if not bar.usable:
            return
        if self._end == self._buffer.shape[1]:
            self._buffer[:, :CAPACITY] = self._buffer[:, CAPACITY:]
            self._end = CAPACITY
            self.complete = False
        self._buffer[:, self._end] = (bar.close_time, *bar.values)
        self._end += 1

    def columns(self) -> Floats:
        """Return all bars in memory, float64 (6, bar), oldest first. A view: do not keep it."""
        return self._buffer[:, : self._end]

    def close_before(self, close_time: int) -> int | None:
        """Return the close of the bar before the one that closes at a time; None: one of the two is not in memory."""
        closes = self._buffer[0, : self._end]
        place = int(closes.searchsorted(close_time))
        if not 0 < place < self._end or closes[place] != close_time:
            return None
        return int(closes[place - 1])

    def until(self, close_time: int, count: int) -> Floats | None:
        """Return the last `count` bars up to `close_time`, (6, <= count); None if older ones are on disk only."""
        columns, end = self.columns(), self._end
        if end and columns[0, -1] > close_time:
            end = int(columns[0].searchsorted(close_time, side="right"))
        if end < count and not self.complete:
            return None
        return columns[:, max(0, end - count) : end]
