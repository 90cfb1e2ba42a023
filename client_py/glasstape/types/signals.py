"""Events of the feed and the other messages of a stream."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from glasstape.errors import GlasstapeError
from glasstape.types.enums import (
    CalibrationState,
    DataState,
    Direction,
    EntryPrice,
    EventKind,
    GapReason,
    GoodbyeReason,
    LabelKind,
    OpenResult,
    ResetReason,
)
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Confidence, ModelRef, ReliabilityPoint
from glasstape.types.market import Bar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Prediction of a model for one symbol at one bar close."""

    probabilities: Confidence
    bar: Bar
    """The closed bar."""
    reference_close: float
    """Price that the horizon's return is measured against, if `entry` is CURRENT_CLOSE."""
    previous_session_close: float | None
    """Last close of the previous session; None: unknown."""
    horizon_bars: int
    """Bars over which the return is measured."""
    entry: EntryPrice
    expire_time: datetime
    """Market time at which the horizon ends."""
    data_state: DataState
    flat_threshold: float
    """Largest |log return| that counts as FLAT."""
    label_kind: LabelKind = LabelKind.HORIZON
    """What decides the outcome's class."""
    missing_bars: int = 0
    """Bars that the market had between those of the window, and the server has not: rejected or never received."""

    @property
    def change(self) -> float | None:
        """Return the relative price change since the previous session's close; None: unknown."""
        previous = self.previous_session_close
        return None if previous is None else self.bar.close / previous - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the journal: a `ConfidenceEvent`, `BuyEvent` or `OutcomeEvent`."""

    sequence: int
    symbol: str
    interval: str
    bar_close_time: datetime
    """Market time."""
    publish_time: datetime
    """Wall time of the commit."""
    model: ModelRef
    snapshot: bool = False
    """Part of a snapshot: it may have been delivered before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceEvent(Event):
    """The signal of one symbol at one bar close."""

    signal: Signal
    kind = EventKind.CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyEvent(Event):
    """A signal whose direction is UP (class 2)."""

    signal: Signal
    confidence_sequence: int
    """Sequence of the confidence event of the same signal."""
    kind = EventKind.BUY


class Undecoded(Generic[T]):
    """Placeholder of a field until its first read: most signals of a busy feed are replaced unread."""

    __slots__ = ("decode",)

    def __init__(self, decode: Callable[[], T]) -> None:
        self.decode = decode


def _decode_when_read(kind: type[Event], name: str) -> None:
    """Let a field of a dataclass hold an `Undecoded`, which is decoded at the first read."""
    slot = kind.__dict__[name]

    def read(event: Event) -> object:
        value = slot.__get__(event)
        if type(value) is Undecoded:
            value = value.decode()
            slot.__set__(event, value)
        return value

    setattr(kind, name, property(read, slot.__set__, doc=slot.__doc__))


_decode_when_read(ConfidenceEvent, "signal")
_decode_when_read(BuyEvent, "signal")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEvent(Event):
    """Outcome of a signal."""

    confidence_sequence: int
    """Sequence of the resolved confidence event."""
    signal_bar_close_time: datetime
    predicted: Direction
    realized: Direction
    realized_return: float
    """Log return from the entry to the close that decided."""
    hit: bool
    """Whether predicted and realized are equal."""
    abstained: bool
    probabilities: Confidence
    """Of the signal."""
    kind = EventKind.OUTCOME


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The stream is connected."""

    result: OpenResult
    reset_reason: ResetReason
    epoch: str
    head_sequence: int
    earliest_sequence: int
    contract_version: str
    model: ModelRef


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events, oldest first."""

    events: tuple[Event, ...]
    conflated_count: int
    """Confidences that newer ones replaced since the previous batch."""
    snapshot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapBatch:
    """Heat maps of events delivered before, by sequence."""

    explanations: dict[int, Explanation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Sent when there was no other message for the heartbeat interval."""

    server_time: datetime
    """Wall clock of the server."""
    market_time: datetime
    """Wall clock, or the simulated one of a replay."""
    data_state: DataState
    """Freshness of the newest bar."""
    last_bar_close_time: datetime | None
    """Of the newest bar; None: none yet."""
    calibration: CalibrationState = CalibrationState.UNKNOWN
    """Of the active model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteBatch:
    """Quotes: the newest provisional bar of each symbol and interval that changed. Never journaled."""

    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGap:
    """A known loss: matching events of these sequences are not delivered."""

    first_sequence: int
    last_sequence: int
    reason: GapReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The server ends the connection; the stream resumes after about `retry_delay`."""

    reason: GoodbyeReason
    retry_delay: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection failed; the stream resumes after `retry_in`."""

    error: GlasstapeError
    retry_in: timedelta
    attempt: int
    """Consecutive failures, from 1."""


StreamMessage = (
    Opened | EventBatch | HeatmapBatch | QuoteBatch | Heartbeat | SequenceGap | Goodbye | Disconnected
)
"""Any message of a stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    count: int
    """Outcomes in the group."""
    hits: int
    """Outcomes whose realized class equals the predicted class."""
    hit_rate: float | None
    """hits / count, 0-1; None: the group is empty."""
    hit_rate_low: float | None
    """95 % interval of the hit rate, lower end; Wilson's, widened by dependence within a session. None: the group is
    empty, as for all that follow."""
    hit_rate_high: float | None
    """95 % interval of the hit rate, upper end."""
    base_rate: float | None
    """Expected hit rate of a forecaster who knows only the class frequencies of these outcomes."""
    mean_return: float | None
    """Mean log return in the predicted direction, without costs."""
    net_return: float | None
    """Mean log return after the cost of entry and exit."""
    sessions: int
    """Sessions (UTC days) with such outcomes."""
    model: str
    """"name@version", if grouped by model."""
    symbol: str
    """If grouped by symbol."""
    confidence: tuple[float, float] | None
    """Band of the winning confidence, if grouped by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecords:
    """Track record of past signals."""

    records: tuple[TrackRecord, ...]
    """UP, DOWN and both together; FLAT predictions are not scored."""
    outcomes: int
    """Outcomes of every predicted class."""
    brier_score: float | None
    """Mean, 0 (perfect) - 2; a uniform forecast scores 0.667. None: there are no outcomes."""
    log_loss: float | None
    """Mean, in nats; a uniform forecast scores 1.0986. None: there are no outcomes."""
    reliability: tuple[ReliabilityPoint, ...]
    """Of the winning class and of each class, lowest confidence first."""
    left_out: int
    """Outcomes of signals within their model's training and validation data: not counted."""
