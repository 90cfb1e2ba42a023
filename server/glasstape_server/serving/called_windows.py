"""Collects windows whose predictions a filter admits, until there are enough."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from glasstape_server.domain.arrays import Float32s, Ints
from glasstape_server.engine.work import forecasts
from glasstape_server.models.model import Model
from glasstape_server.serving.window_sets import Period, WindowBatch, WindowFilter


@dataclass(frozen=True, slots=True)
class WindowSet:
    """The windows of a filter, ordered by close and symbol."""

    period: Period
    windows: Float32s  # (n, time, feature)
    close_time: Ints  # (n,)
    labels: Ints
    """Realized class index, (n,); -1: not known."""
    symbols: Sequence[str]
    """(n,)"""
    predicted: Ints
    """Predicted class index, (n,)."""
    bars: int
    """Bars that close in the period."""
    examined: int
    """Bars that were drawn from them, until there were enough windows."""
    unusable: int
    """Examined bars that end no window."""
    other_calls: int
    """Examined windows whose prediction the filter does not admit."""


@dataclass(slots=True)
class Collector:
    """Windows that were admitted so far.

    Args:
        most: windows at most.
        wanted: the filter.
    """

    most: int
    wanted: WindowFilter
    _kept: list[WindowBatch] = field(default_factory=list)
    _predicted: list[Ints] = field(default_factory=list)
    _count: int = 0
    _examined: int = 0
    _usable: int = 0

    @property
    def full(self) -> bool:
        """Whether there are enough windows."""
        return self._count >= self.most

    def add(self, model: Model, batch: WindowBatch, logits: Float32s) -> None:
        """Add the windows of a batch that the filter admits, up to the last one that is needed.

        Args:
            model: that predicted them.
            batch: of candidates, in their order.
            logits: of its windows, (n, 3).
        """
        if not len(logits):
            self._examined += batch.candidates
            return
        stated = forecasts(model, batch.windows, logits)
        predicted = stated.probabilities.argmax(axis=1)
        admitted = np.ones(len(predicted), dtype=np.bool_)
        if self.wanted.directions:
            admitted &= np.isin(predicted, [int(direction) for direction in self.wanted.directions])
        if self.wanted.exclude_abstained:
            admitted &= ~stated.abstained
        chosen = np.flatnonzero(admitted)
        usable, examined = len(predicted), batch.candidates
        if len(chosen) >= self.most - self._count:
            chosen = chosen[: self.most - self._count]
            usable, examined = int(chosen[-1]) + 1, int(batch.place[chosen[-1]]) + 1
        self._kept.append(batch.select(chosen))
        self._predicted.append(predicted[chosen])
        self._count += len(chosen)
        self._examined += examined
        self._usable += usable

    def window_set(self, model: Model, period: Period, bars: int) -> WindowSet:
        """Return the windows.

        Args:
            model: gives their shape.
            period: that they were drawn from.
            bars: bars that close in it.
        """
        empty = np.empty(0, dtype=np.int64)
        windows = np.concatenate(
            [np.empty((0, *model.window_shape), np.float32), *(b.windows for b in self._kept)]
        )
        close_time = np.concatenate([empty, *(batch.close_time for batch in self._kept)])
        symbols = [symbol for batch in self._kept for symbol in batch.symbols]
        order = np.lexsort((np.array(symbols, dtype=np.str_), close_time))
        return WindowSet(
            period,
            windows[order],
            close_time[order],
            np.concatenate([empty, *(batch.labels for batch in self._kept)])[order],
            [symbols[row] for row in order],
            np.concatenate([empty, *self._predicted])[order],
            bars,
            self._examined,
            self._examined - self._usable,
            self._usable - self._count,
        )
