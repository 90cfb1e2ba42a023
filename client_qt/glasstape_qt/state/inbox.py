"""Between the reader thread and the screen: the newest confidence of each symbol, and everything else in order."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from glasstape import ConfidenceEvent, Event, EventBatch, Opened, OpenResult, StreamMessage


@dataclass
class Delivery:
    """What has come since the last time."""

    notices: list[StreamMessage] = field(default_factory=list)
    """Everything that is not a batch of events, oldest first."""
    events: list[Event] = field(default_factory=list)
    """Buys and outcomes, oldest first: none is ever dropped."""
    confidences: dict[tuple[str, str], ConfidenceEvent] = field(default_factory=dict)
    """The newest by symbol and interval."""
    reset: bool = False
    """History began anew: what was known before is void."""
    received: float = 0.0
    """Wall-clock seconds at which the newest batch came."""
    arrivals: list[tuple[float, float]] = field(default_factory=list)
    """For each live batch: wall-clock seconds of its arrival, and of its newest event's publishing."""
    count: int = 0
    """Events that came, conflated ones too."""


class Inbox:
    """A conflating store. One thread puts, another takes; neither waits for the other's work."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._wall = wall
        self._waiting = Delivery()

    def put(self, message: StreamMessage) -> None:
        """Take a message of the stream (reader thread)."""
        if isinstance(message, EventBatch):
            self._put_events(message)
            return
        with self._lock:
            if isinstance(message, Opened) and message.result is OpenResult.RESET:
                self._waiting = Delivery(notices=self._waiting.notices, reset=True)
            self._waiting.notices.append(message)

    def take(self) -> Delivery | None:
        """Everything since the last time (GUI thread); None if nothing came."""
        with self._lock:
            taken = self._waiting
            if not (taken.notices or taken.count or taken.reset):
                return None
            self._waiting = Delivery()
        return taken

    def _put_events(self, batch: EventBatch) -> None:
        newest: dict[tuple[str, str], ConfidenceEvent] = {}
        others: list[Event] = []
        for event in batch.events:
            if isinstance(event, ConfidenceEvent):
                newest[event.symbol, event.interval] = event
            else:
                others.append(event)
        with self._lock:
            self._waiting.confidences.update(newest)
            self._waiting.events += others
            self._waiting.received = self._wall()
            if batch.events and not batch.snapshot:
                published = batch.events[-1].publish_time.timestamp()
                self._waiting.arrivals.append((self._waiting.received, published))
            self._waiting.count += len(batch.events)
