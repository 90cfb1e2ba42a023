"""The inbox between reader thread and GUI thread: newest confidence per symbol, everything else in order."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from glasstape import (
    Bar,
    ConfidenceEvent,
    Event,
    EventBatch,
    Opened,
    OpenResult,
    QuoteBatch,
    StreamMessage,
)


@dataclass
class InboxBatch:
    """Everything that arrived between two calls of `Inbox.take`."""

    notices: list[StreamMessage] = field(default_factory=list)
    """Messages that are not a batch of events, oldest first."""
    events: list[Event] = field(default_factory=list)
    """Buys and outcomes, oldest first: none is ever dropped."""
    confidences: dict[tuple[str, str], ConfidenceEvent] = field(default_factory=dict)
    """The newest by symbol and interval."""
    quotes: dict[tuple[str, str], Bar] = field(default_factory=dict)
    """The newest bar that is still forming, by symbol and interval."""
    reset: bool = False
    """The server started a new history: earlier events are void."""
    received: float = 0.0
    """Wall-clock second at which the newest batch arrived."""
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    """For each live batch: wall-clock second of its arrival, and of its newest event's publishing."""
    count: int = 0
    """Number of events that arrived, conflated ones included."""


class Inbox:
    """A conflating queue for one producer and one consumer; neither waits for the other's work."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._wall = wall
        self._pending = InboxBatch()

    def put(self, message: StreamMessage) -> None:
        """Add a message of the stream (reader thread)."""
        if isinstance(message, EventBatch):
            self._put_events(message)
            return
        if isinstance(message, QuoteBatch):
            with self._lock:
                self._pending.quotes.update({(bar.symbol, bar.interval): bar for bar in message.bars})
            return
        with self._lock:
            if isinstance(message, Opened) and message.result is OpenResult.RESET:
                self._pending = InboxBatch(notices=self._pending.notices, reset=True)
            self._pending.notices.append(message)

    def take(self) -> InboxBatch | None:
        """Remove and return everything since the last call (GUI thread); None if nothing arrived."""
        with self._lock:
            batch = self._pending
            if not (batch.notices or batch.count or batch.quotes or batch.reset):
                return None
            self._pending = InboxBatch()
        return batch

    def _put_events(self, batch: EventBatch) -> None:
        newest: dict[tuple[str, str], ConfidenceEvent] = {}
        others: list[Event] = []
        for event in batch.events:
            if isinstance(event, ConfidenceEvent):
                newest[event.symbol, event.interval] = event
            else:
                others.append(event)
        with self._lock:
            self._pending.confidences.update(newest)
            self._pending.events += others
            self._pending.received = self._wall()
            if batch.events and not batch.snapshot:
                published = batch.events[-1].publish_time.timestamp()
                self._pending.arrivals.append((self._pending.received, published))
            self._pending.count += len(batch.events)
