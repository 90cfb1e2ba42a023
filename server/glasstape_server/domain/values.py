"""The values that the rooms exchange. Times are integer microseconds since 1970, UTC.

This module and `errors` are all that every room may import; neither knows gRPC or torch.
"""

import re
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glasstape_server.domain.errors import DeadlineExceeded

Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]
Ints = NDArray[np.int64]

LabelKind = Literal["horizon", "triple_barrier"]
"""What decides the class of an outcome; see `features.labels.LabelRule`."""

SECOND = 1_000_000
"""Microseconds."""
DAY = 86_400 * SECOND
"""Microseconds."""

INTERVALS: dict[str, int] = {
    "1m": 60 * SECOND,
    "3m": 180 * SECOND,
    "5m": 300 * SECOND,
    "10m": 600 * SECOND,
    "15m": 900 * SECOND,
    "30m": 1800 * SECOND,
    "1h": 3600 * SECOND,
    "2h": 7200 * SECOND,
    "4h": 14400 * SECOND,
    "1d": DAY,
    "1w": 7 * DAY,
}
"""Every bar length this server knows, in microseconds."""

SYMBOL_RULE = "must be 1-32 of A-Z a-z 0-9 . _ : -"
SYMBOL = re.compile(r"[A-Za-z0-9._:\-]{1,32}")


def is_symbol(text: str) -> bool:
    """Whether `text` may name an instrument."""
    return SYMBOL.fullmatch(text) is not None


class Direction(IntEnum):
    """The three classes; the value is the class index."""

    DOWN = 0
    FLAT = 1
    UP = 2


class Entry(IntEnum):
    """Where a signal's return starts; the value is the number of bars after the signal's own."""

    CURRENT_CLOSE = 0
    NEXT_CLOSE = 1


class DataState(IntEnum):
    """Where market data stands in time. Values as on the wire."""

    LIVE = 1
    DELAYED = 2
    REPLAY = 3
    STALE = 4


class Kind(IntEnum):
    """Kinds of journal events. Values as on the wire."""

    CONFIDENCE = 1
    BUY = 2
    OUTCOME = 3


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a symbol stands for."""

    symbol: str
    name: str = ""
    local_name: str = ""
    exchange: str = ""
    time_zone: str = "UTC"
    currency: str = ""
    tick_size: float | None = None
    price_decimals: int | None = None
    price_limit: float | None = None
    sector: str = ""
    industry: str = ""

    @property
    def price_step(self) -> float:
        """Smallest step of a price, from the tick or else from the decimals; 0 if neither is known."""
        if self.tick_size is not None:
            return self.tick_size
        return 0.0 if self.price_decimals is None else 10.0**-self.price_decimals


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low, close and volume of one interval, stamped by its close."""

    symbol: str
    interval: str
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    provisional: bool = False

    @property
    def halted(self) -> bool:
        """Trading was suspended: no open, high and low, but a close."""
        return self.open == self.high == self.low == 0.0 and self.close > 0.0

    @property
    def values(self) -> tuple[float, float, float, float, float]:
        """Open, high, low, close, volume."""
        return (self.open, self.high, self.low, self.close, self.volume)


@dataclass(frozen=True, slots=True)
class ModelRef:
    """Names one model version for good."""

    name: str
    version: str
    digest: str
    feature_spec_hash: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """Calibrated probabilities of the three classes, with what qualifies them."""

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
    """What a model says of one symbol at one bar close."""

    confidence: Confidence
    bar: Bar
    previous_session_close: float | None
    horizon_bars: int
    entry: Entry
    expire_time: int
    data_state: DataState
    flat_threshold: float
    label_kind: LabelKind = "horizon"


@dataclass(frozen=True, slots=True)
class Buy:
    """A signal whose direction is UP, announced beside its confidence."""

    confidence_sequence: int
    signal: Signal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a signal."""

    confidence_sequence: int
    signal_close_time: int
    predicted: Direction
    realised: Direction
    realised_return: float
    confidence: Confidence

    @property
    def hit(self) -> bool:
        """Whether the prediction came true."""
        return self.predicted == self.realised


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
        """Which of the three bodies it has."""
        match self.body:
            case Signal():
                return Kind.CONFIDENCE
            case Buy():
                return Kind.BUY
            case Outcome():
                return Kind.OUTCOME

    @property
    def winning(self) -> float:
        """Winning probability of a confidence or buy; that of the resolved signal for an outcome."""
        match self.body:
            case Signal(confidence=confidence) | Outcome(confidence=confidence):
                return confidence.winning
            case Buy(signal=signal):
                return signal.confidence.winning


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What one model version says of a batch of windows."""

    model: ModelRef
    logits: Float32s  # (batch, class), uncalibrated
    probabilities: Floats  # (batch, class), calibrated
    abstained: NDArray[np.bool_]  # (batch,)
    novelty: Floats  # (batch,) 0-1
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0

    def confidence(self, row: int) -> Confidence:
        """The confidence of one row."""
        down, flat, up = self.probabilities[row].tolist()
        return Confidence(down, flat, up, bool(self.abstained[row]), float(self.novelty[row]))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls."""

    id: str
    name: str
    scopes: frozenset[str] = frozenset()
    expires: float = 0.0
    """Unix time; 0: never."""


ANYBODY = Principal("", "anybody")
"""Whoever calls a server, or a method, that asks nobody who he is."""


@dataclass(slots=True)
class Call:
    """What the server needs to know of the caller while it works: nothing of the wire."""

    deadline: float | None = None
    """`time.monotonic()` at which the caller gives up; None: never."""
    cancelled: bool = field(default=False)
    """Set when the caller went away; work not yet begun is dropped."""
    principal: Principal = ANYBODY

    def check_open(self) -> None:
        """Raise DeadlineExceeded once nobody waits for the answer."""
        if self.cancelled or (self.deadline is not None and time.monotonic() >= self.deadline):
            raise DeadlineExceeded("DEADLINE_EXCEEDED", "the call was canceled or its deadline exceeded")
