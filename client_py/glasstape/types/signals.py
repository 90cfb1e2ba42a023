"""Events of the feed, and what a stream says beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from glasstape.errors import GlasstapeError
from glasstape.types.enums import (
    CalibrationState,
    DataState,
    Direction,
    Entry,
    EventKind,
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
    """What a model says of one symbol at one bar close."""

    confidence: Confidence
    bar: Bar
    reference_close: float
    previous_session_close: float | None
    horizon_bars: int
    entry: Entry
    expire_time: datetime
    """Market time at which the horizon ends."""
    data_state: DataState
    flat_threshold: float
    """|log return| below which the outcome is FLAT."""
    label_kind: LabelKind = LabelKind.HORIZON
    """What decides the outcome's class."""

    @property
    def change(self) -> float | None:
        """Relative price change against the previous session's close."""
        previous = self.previous_session_close
        return None if previous is None else self.bar.close / previous - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the journal: a `ConfidenceEvent`, `BuyEvent` or `OutcomeEvent`."""

    sequence: int
    symbol: str
    interval: str
    bar_close_time: datetime
    publish_time: datetime
    model: ModelRef
    snapshot: bool = False
    """Delivered as part of a snapshot: it may have been delivered before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceEvent(Event):
    """The confidences of one symbol at one bar close."""

    signal: Signal
    kind = EventKind.CONFIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyEvent(Event):
    """A signal whose direction is UP (class 2)."""

    signal: Signal
    confidence_sequence: int
    kind = EventKind.BUY


class Undecoded(Generic[T]):
    """Stands for a field until somebody looks at it: most signals of a busy feed are replaced unseen."""

    __slots__ = ("decode",)

    def __init__(self, decode: Callable[[], T]) -> None:
        self.decode = decode


def _decode_when_read(kind: type[Event], name: str) -> None:
    """Let a field of a dataclass hold an `Undecoded`, which its first reader decodes."""
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
    """What came of a signal."""

    confidence_sequence: int
    signal_bar_close_time: datetime
    predicted: Direction
    realised: Direction
    realised_return: float
    """Log return from entry to the end of the horizon."""
    hit: bool
    abstained: bool
    confidence: Confidence
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
    snapshot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapBatch:
    """Heat maps of events delivered before, by sequence."""

    explanations: dict[int, Explanation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Nothing else happened."""

    server_time: datetime
    market_time: datetime
    data_state: DataState
    last_bar_close_time: datetime | None
    calibration: CalibrationState = CalibrationState.UNKNOWN
    """Whether the active model's confidences still mean what they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A known loss: these sequences will not be delivered."""

    first_sequence: int
    last_sequence: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The server ends this connection; the stream resumes by itself."""

    reason: GoodbyeReason
    retry_delay: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection broke; the stream resumes by itself after `retry_in`."""

    error: GlasstapeError
    retry_in: timedelta
    attempt: int
    """Failures in a row, from 1."""


StreamMessage = Opened | EventBatch | HeatmapBatch | Heartbeat | Gap | Goodbye | Disconnected
"""Everything that a stream can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecord:
    """Figures of one group of outcomes."""

    predicted: Direction | None
    """None: UP and DOWN together."""
    count: int
    hits: int
    hit_rate: float
    hit_rate_low: float
    hit_rate_high: float
    """95 %: Wilson's interval, widened by what outcomes of one session share."""
    base_rate: float
    """What guessing the same calls against these outcomes would hit."""
    mean_return: float
    """Mean log return in the predicted direction."""
    net_return: float
    """The same after costs on the way in and out."""
    sessions: int
    """Sessions that these outcomes are of, in UTC days."""
    model: str
    """"name@version", if grouped by model."""
    symbol: str
    """If grouped by symbol."""
    confidence: tuple[float, float] | None
    """Band of the winning confidence, if grouped by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRecords:
    """How signals turned out."""

    records: tuple[TrackRecord, ...]
    outcomes: int
    brier_score: float
    """0 (perfect) - 2; knowing nothing scores 0.667."""
    log_loss: float
    """In nats; knowing nothing scores 1.0986."""
    reliability: tuple[ReliabilityPoint, ...]
    """Of the winning class and of each class, lowest confidence first."""
    left_out: int
    """Outcomes of signals that their own model had learnt from: not counted."""
