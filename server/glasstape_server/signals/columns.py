"""A close by column: thousands of bars that close together, their signals, and the outcomes that they resolve.

Each column has a value for each row. `decision`, `close_batch` and the codec are the other places that list the
fields of a signal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats, Ints
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Confidence, Direction, Forecasts, ModelRef, Outcome
from glasstape_server.features.labels import LabelRule


@dataclass(frozen=True, slots=True)
class Confidences:
    """Calibrated predictions; see `Confidence`."""

    probabilities: Floats
    """Of DOWN, FLAT and UP, (n, 3)."""
    abstained: NDArray[np.bool_]
    """(n,)"""
    novelty: Floats
    """0-1, (n,)"""

    @classmethod
    def of(cls, forecasts: Forecasts | None) -> "Confidences":
        """Return those of forecasts; of None, no rows."""
        if forecasts is None:
            return cls(np.empty((0, 3)), np.empty(0, np.bool_), np.empty(0))
        return cls(forecasts.probabilities, forecasts.abstained, forecasts.novelty)

    @property
    def class_index(self) -> Ints:
        """Index of the most probable class, (n,); the lower one wins a tie."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def winning(self) -> Floats:
        """The highest probability, (n,)."""
        return np.asarray(self.probabilities.max(axis=1))

    def rows(self, chosen: Ints) -> "Confidences":
        """Return some of them."""
        return Confidences(self.probabilities[chosen], self.abstained[chosen], self.novelty[chosen])

    def to_list(self) -> list[Confidence]:
        """Return the rows."""
        columns = (*self.probabilities.T, self.abstained, self.novelty)
        return [Confidence(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


@dataclass(frozen=True, slots=True)
class ClosedBars:
    """Bars of one interval that closed and whose windows are complete, with what their signals state beside them."""

    keys: Sequence[SeriesKey]
    close_time: Ints
    """Microseconds since 1970, UTC, (n,)."""
    prices: Floats
    """Open, high, low, close and volume, (5, n)."""
    previous_session_close: Floats
    """(n,); NaN: not known."""
    flat_threshold: Floats
    """Largest |log return| that is FLAT, (n,)."""
    data_state: Ints
    """`DataState` of each, (n,)."""
    expire_time: Ints
    """Close of the bar at which the outcome is known, (n,)."""
    missing_bars: Ints
    """Bars missing between those of the window, (n,); see `market.missing_bars`."""
    missing_symbols: Ints
    """Most symbols that were awaited and missing at one of the window's closes, (n,); 0 without ranks."""
    ranked: NDArray[np.bool_]
    """Whether a rank score is ranked among those of the burst, all of one close, (n,)."""
    windows: Float32s
    """(n, time, feature)"""

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def none(cls, window_shape: tuple[int, int]) -> "ClosedBars":
        """Return no bars, whose windows would have a shape (time, feature)."""
        nothing, count = np.empty(0), np.empty(0, np.int64)
        windows = np.empty((0, *window_shape), np.float32)
        prices = np.empty((5, 0))
        ranked = np.empty(0, np.bool_)
        return cls((), count, prices, nothing, nothing, count, count, count, count, ranked, windows)


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of closed bars; see `Signal`. The buy of an UP follows its confidence."""

    closed: ClosedBars
    confidences: Confidences
    model: ModelRef
    rule: LabelRule
    position: Ints
    """Of the confidences within their batch, from 1, (n,)."""
    rank_score: Floats
    """Expected rank of the forward return within the close, (n,); NaN: the model has no rank head."""
    close_rank: Ints
    """Place of the score within the close, 1: highest, (n,); 0: the close was not ranked, or without this bar."""
    close_size: Ints
    """Symbols of the close that were ranked, (n,); 0 where `close_rank` is."""

    def __len__(self) -> int:
        return len(self.closed)

    @property
    def is_buy(self) -> NDArray[np.bool_]:
        """Whether a buy follows, (n,)."""
        return np.asarray(self.confidences.class_index == Direction.UP)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of signals whose horizon has passed; see `Outcome`."""

    keys: Sequence[SeriesKey]
    models: Sequence[ModelRef]
    """That made the signals."""
    close_time: Ints
    """Close of the newest bar of the series, microseconds since 1970, UTC, (n,)."""
    confidence_sequence: Ints
    signal_close_time: Ints
    realized: Ints
    """Class index, (n,)."""
    realized_return: Floats
    """Log return, (n,)."""
    confidences: Confidences

    def __len__(self) -> int:
        return len(self.keys)

    def to_list(self) -> list[Outcome]:
        """Return the rows."""
        columns = (self.confidence_sequence, self.signal_close_time, self.realized, self.realized_return)
        return [
            Outcome(
                sequence, close_time, confidence.direction, Direction(realized), realized_return, confidence
            )
            for confidence, sequence, close_time, realized, realized_return in zip(
                self.confidences.to_list(), *(column.tolist() for column in columns), strict=True
            )
        ]
