"""Events of the feed and the other messages of a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glasstape.errors import GlasstapeError
from glasstape.types.columns import EventColumns
from glasstape.types.enums import CalibrationState, DataState, Direction, EntryPrice, EventKind, LabelKind
from glasstape.types.event_base import EventBase, RowValue
from glasstape.types.explanation import Explanation
from glasstape.types.inference import Confidence, ModelRef
from glasstape.types.market import Bar
from glasstape.types.stream_enums import GapReason, GoodbyeReason, OpenResult, ResetReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Prediction of a model for one symbol at one bar close."""

    probabilities: Confidence
    """Calibrated probabilities of the three classes."""
    bar: Bar
    """The closed bar."""
    reference_close: float
    """Price that the horizon's return is measured against, if `entry` is CURRENT_CLOSE."""
    previous_session_close: float | None
    """Last close of the previous session; None: unknown."""
    horizon_bars: int
    """Bars over which the return is measured."""
    entry: EntryPrice
    """Price at which the signal's return starts."""
    expire_time: datetime
    """Market time at which the horizon ends."""
    data_state: DataState
    """Freshness of the market data when the signal was made."""
    flat_threshold: float
    """Largest |log return| that counts as FLAT."""
    label_kind: LabelKind = LabelKind.HORIZON
    """What decides the outcome's class."""
    missing_bars: int = 0
    """Bars that the market had between those of the window, and the server has not: rejected or never received."""
    missing_symbols: int = 0
    """Of a model that ranks the symbols of a close: most symbols that were awaited at one of the window's closes and
    had not closed when it was ranked. 0: every close was complete."""
    rank_score: float | None = None
    """Of a model with a rank head: expected rank of the forward return within the close, about -1 (lowest) to 1
    (highest); comparable among the signals of one model and one close. None: no rank head."""
    close_rank: int | None = None
    """Place of `rank_score` within the close, 1: highest; equal scores share a place. None: no rank head, or the bar
    came after the close was ranked."""
    close_size: int | None = None
    """Symbols of the close that were ranked; None where `close_rank` is."""

    @property
    def change(self) -> float | None:
        """Return the relative price change since the previous session's close; None: unknown."""
        previous = self.previous_session_close
        return None if previous is None else self.bar.close / previous - 1


def _signal_columns(signal: Signal) -> dict[str, RowValue]:
    """Return the columns of a row that a signal has besides its probabilities."""
    return {
        "close": signal.bar.close,
        "expire_time": signal.expire_time,
        "data_state": signal.data_state.value,
        "missing_bars": signal.missing_bars,
        "rank_score": signal.rank_score,
        "close_rank": signal.close_rank,
        "close_size": signal.close_size,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceEvent(EventBase):
    """The signal of one symbol at one bar close."""

    signal: Signal
    """The prediction."""
    kind: Literal[EventKind.CONFIDENCE] = field(default=EventKind.CONFIDENCE, init=False)
    """Tells the events of the union `Event` apart."""

    def row(self) -> dict[str, RowValue]:
        """Return the event as a flat row of a data frame: see `ROW_COLUMNS`."""
        return self._row(self.kind, self.signal.probabilities, **_signal_columns(self.signal))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyEvent(EventBase):
    """A signal whose direction is UP (class 2)."""

    signal: Signal
    """The prediction."""
    confidence_sequence: int
    """Sequence of the confidence event of the same signal."""
    kind: Literal[EventKind.BUY] = field(default=EventKind.BUY, init=False)
    """Tells the events of the union `Event` apart."""

    def row(self) -> dict[str, RowValue]:
        """Return the event as a flat row of a data frame: see `ROW_COLUMNS`."""
        columns = _signal_columns(self.signal)
        columns["confidence_sequence"] = self.confidence_sequence
        return self._row(self.kind, self.signal.probabilities, **columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeEvent(EventBase):
    """Outcome of a signal."""

    confidence_sequence: int
    """Sequence of the resolved confidence event."""
    signal_bar_close_time: datetime
    """Close of the signal's bar, market time."""
    predicted: Direction
    """The class that the signal gave."""
    realized: Direction
    """The class that came true."""
    realized_return: float
    """Log return from the entry to the close that decided."""
    hit: bool
    """Whether predicted and realized are equal."""
    abstained: bool
    """Whether the signal abstained."""
    probabilities: Confidence
    """Of the signal."""
    kind: Literal[EventKind.OUTCOME] = field(default=EventKind.OUTCOME, init=False)
    """Tells the events of the union `Event` apart."""

    def row(self) -> dict[str, RowValue]:
        """Return the event as a flat row of a data frame: see `ROW_COLUMNS`."""
        return self._row(
            self.kind,
            self.probabilities,
            confidence_sequence=self.confidence_sequence,
            realized=self.realized.name,
            realized_return=self.realized_return,
            hit=self.hit,
        )


Event = ConfidenceEvent | BuyEvent | OutcomeEvent
"""One entry of the journal. `kind` tells the three apart, for type checkers too: `if event.kind is EventKind.BUY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The stream is connected."""

    result: OpenResult
    """How the server took the resume token."""
    reset_reason: ResetReason
    """Why it could not be used, if `result` is RESET."""
    epoch: str
    """Id of the journal's history."""
    head_sequence: int
    """Sequence of the newest event; 0: the journal is empty."""
    earliest_sequence: int
    """Sequence of the oldest event that is retained."""
    contract_version: str
    """Version of the server's contract."""
    model: ModelRef
    """The active model version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Events, oldest first."""

    events: tuple[Event, ...]
    """The events."""
    conflated_count: int
    """Confidences that newer ones replaced since the previous batch."""
    snapshot: bool
    """Part of a snapshot: events may have been delivered before."""

    def columns(self) -> EventColumns:
        """Return the events as numpy arrays, for readers of millions.

        Of a batch that a stream delivered, the arrays are read from the message, without an object for each event.

        Raises:
            DataLossError: events hold values that the contract does not allow.
        """
        return columns_of(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapBatch:
    """Heat maps of events delivered before, by sequence."""

    explanations: dict[int, Explanation]
    """Explanations by sequence of their event."""


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
    drifted: bool = False
    """The inputs of the active model no longer resemble its training data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteBatch:
    """Quotes: the newest provisional bar of each symbol and interval that changed. Never journaled."""

    bars: tuple[Bar, ...]
    """The provisional bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceGap:
    """A known loss: matching events of these sequences are not delivered."""

    first_sequence: int
    """First sequence of the gap, inclusive."""
    last_sequence: int
    """Last sequence of the gap, inclusive."""
    reason: GapReason
    """Why the events are not delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodbye:
    """The server ends the connection; the stream resumes after about `retry_delay`."""

    reason: GoodbyeReason
    """Why the server ended the stream."""
    retry_delay: timedelta
    """Time until the stream resumes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection failed; the stream resumes after `retry_in`."""

    error: GlasstapeError
    """Why the connection failed."""
    retry_in: timedelta
    """Time until the next attempt."""
    attempt: int
    """Consecutive failures, from 1."""


StreamMessage = (
    Opened | EventBatch | HeatmapBatch | QuoteBatch | Heartbeat | SequenceGap | Goodbye | Disconnected
)
"""Any message of a stream."""


def columns_of(events: Sequence[Event]) -> EventColumns:
    """Return events by column."""
    stated = [
        event.probabilities if event.kind is EventKind.OUTCOME else event.signal.probabilities
        for event in events
    ]
    closes = [float("nan") if event.kind is EventKind.OUTCOME else event.signal.bar.close for event in events]
    return EventColumns(
        sequence=np.array([event.sequence for event in events], np.int64),
        kind=np.array([event.kind.value for event in events], np.str_),
        symbol=np.array([event.symbol for event in events], np.str_),
        interval=np.array([event.interval for event in events], np.str_),
        bar_close_time=_moments([event.bar_close_time for event in events]),
        publish_time=_moments([event.publish_time for event in events]),
        close=np.array(closes, np.float64),
        probabilities=np.array([(c.down, c.flat, c.up) for c in stated], np.float64).reshape(-1, 3),
        abstained=np.array([c.abstained for c in stated], np.bool_),
    )


def _moments(times: Sequence[datetime]) -> NDArray[np.datetime64]:
    """Return times as datetime64[us], UTC."""
    return np.array([time.replace(tzinfo=None) for time in times], "M8[us]")
