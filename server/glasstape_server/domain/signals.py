"""Confidences, signals and the events of the journal. Times are microseconds since 1970, UTC."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Float32s, Floats
from glasstape_server.domain.bars import Bar, DataState

LabelKind = Literal["horizon", "triple_barrier"]
"""What decides the class of an outcome; see `features.labels.LabelRule`."""


class Direction(IntEnum):
    """The three classes; the value is the class index."""

    DOWN = 0
    FLAT = 1
    UP = 2


class Entry(IntEnum):
    """Where a signal's return starts; the value is the number of bars after the signal's own."""

    CURRENT_CLOSE = 0
    NEXT_CLOSE = 1


class Kind(IntEnum):
    """Kinds of journal events. Values as on the wire."""

    CONFIDENCE = 1
    BUY = 2
    OUTCOME = 3


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Identity of one model version."""

    name: str
    version: str
    digest: str
    feature_spec_hash: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """Calibrated probabilities of the three classes, with abstention and novelty."""

    down: float
    flat: float
    up: float
    abstained: bool
    novelty: float

    @property
    def direction(self) -> Direction:
        """The class with the highest probability; the lower index wins a tie, as argmax does."""
        values = (self.down, self.flat, self.up)
        return Direction(values.index(max(values)))

    @property
    def winning(self) -> float:
        """The highest probability."""
        return max(self.down, self.flat, self.up)


@dataclass(frozen=True, slots=True)
class Signal:
    """Prediction of a model for one symbol at one bar close."""

    confidence: Confidence
    bar: Bar
    previous_session_close: float | None
    horizon_bars: int
    entry: Entry
    expire_time: int
    data_state: DataState
    flat_threshold: float
    label_kind: LabelKind = "horizon"
    missing_bars: int = 0
    """Bars that the market had between those of the window, and the server has not; unusable ones not counted."""
    missing_symbols: int = 0
    """Most symbols that were awaited and missing at one of the window's closes; 0 without ranks."""
    rank_score: float | None = None
    """Expected rank of the forward return within the close; None: the model has no rank head."""
    close_rank: int = 0
    """Place of the score within the close, 1: highest; 0: the close was not ranked, or without this bar."""
    close_size: int = 0
    """Symbols of the close that were ranked."""


@dataclass(frozen=True, slots=True)
class Buy:
    """A signal whose direction is UP, published besides its confidence."""

    confidence_sequence: int
    signal: Signal


@dataclass(frozen=True, slots=True)
class Outcome:
    """The realized class and return of a signal whose horizon has passed."""

    confidence_sequence: int
    signal_close_time: int
    predicted: Direction
    realized: Direction
    realized_return: float
    confidence: Confidence

    @property
    def hit(self) -> bool:
        """Whether the predicted class was realized."""
        return self.predicted == self.realized


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the journal."""

    sequence: int
    symbol: str
    interval: str
    bar_close_time: int
    publish_time: int
    model: ModelRef
    body: Signal | Buy | Outcome

    @property
    def kind(self) -> Kind:
        """Kind of its body."""
        match self.body:
            case Signal():
                return Kind.CONFIDENCE
            case Buy():
                return Kind.BUY
            case Outcome():
                return Kind.OUTCOME

    @property
    def winning(self) -> float:
        """Winning probability of the signal; for an outcome, of the signal that it resolves."""
        match self.body:
            case Signal(confidence=confidence) | Outcome(confidence=confidence):
                return confidence.winning
            case Buy(signal=signal):
                return signal.confidence.winning


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Predictions of one model version for a batch of windows."""

    model: ModelRef
    logits: Float32s  # (batch, class), uncalibrated
    probabilities: Floats  # (batch, class), calibrated
    abstained: NDArray[np.bool_]  # (batch,)
    novelty: Floats  # (batch,) 0-1
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    rank_scores: Floats | None = None  # (batch,); None: the model has no rank head

    def rank_score(self, row: int) -> float | None:
        """Return the rank score of one row; None without a rank head."""
        return None if self.rank_scores is None else float(self.rank_scores[row])

    def confidence(self, row: int) -> Confidence:
        """Return the confidence of one row."""
        down, flat, up = self.probabilities[row].tolist()
        return Confidence(down, flat, up, bool(self.abstained[row]), float(self.novelty[row]))
