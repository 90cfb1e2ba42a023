"""What one burst appends to the journal."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Buy, Event, Outcome, Signal
from glasstape_server.signals.journal.chain import EVENT_ID_BYTES, Columns, links
from glasstape_server.signals.journal.records import Position, Record


class EventBatch:
    """Events that are appended together or not at all, with what is stored beside them.

    The journal numbers them. Until then an event's `sequence`, and the `confidence_sequence` of a buy, are
    positions within the batch, from 1; an outcome names its confidence by the sequence that it has already.
    """

    def __init__(
        self,
        events: Sequence[Event],
        windows: Float32s,
        progress: Mapping[SeriesKey, int],
        encode: Callable[[Event], bytes],
    ) -> None:
        """Take a burst's events.

        Args:
            events: numbered from 1.
            windows: input of each confidence among them, in their order, (confidence, time, feature).
            progress: close time of the newest processed bar of each series, microseconds.
            encode: the bytes of a numbered event; must be a pure function.

        Raises:
            ValueError: events are not numbered from 1, or there is not one window for each confidence.
        """
        if [event.sequence for event in events] != list(range(1, len(events) + 1)):
            raise ValueError("events: must be numbered from 1 within the batch")
        confidences = sum(isinstance(event.body, Signal) for event in events)
        if confidences != len(windows):
            raise ValueError(f"windows: {len(windows)}, expected {confidences}, one for each confidence")
        self.events = events
        self.windows = windows
        self.progress = progress
        self._encode = encode
        self._numbered: tuple[int, list[Event]] | None = None
        self._records: tuple[Position, list[Record]] | None = None

    def __len__(self) -> int:
        return len(self.events)

    @cached_property
    def event_ids(self) -> list[bytes]:
        """Id of each event, 16 bytes each."""
        return [event_id(event) for event in self.events]

    @property
    def resolved(self) -> list[int]:
        """Sequences of the confidences that the batch's outcomes resolve."""
        return [e.body.confidence_sequence for e in self.events if isinstance(e.body, Outcome)]

    def numbered(self, head: int) -> list[Event]:
        """Return the events with the sequences that they have after `head`."""
        if self._numbered is None or self._numbered[0] != head:
            self._numbered = (head, [_shifted(event, head) for event in self.events])
        return self._numbered[1]

    def records(self, after: Position) -> list[Record]:
        """Return the events as a journal stores them after `after`; the same ones at every call."""
        if self._records is None or self._records[0] != after:
            self._records = (after, self._linked(after))
        return self._records[1]

    def _linked(self, after: Position) -> list[Record]:
        rows = self._rows(after.sequence)
        return [Record(*row, chain) for row, chain in zip(rows, links(after.chain, rows), strict=True)]

    def _rows(self, head: int) -> Sequence[Columns]:
        """Return the columns of the records after `head`, without their chain hashes."""
        return [
            (
                event.sequence, identity, event.kind, event.symbol, event.interval, event.model, event.winning,
                _expire_time(event), self._encode(event),
            )
            for event, identity in zip(self.numbered(head), self.event_ids, strict=True)
        ]  # fmt: skip


def event_id(event: Event) -> bytes:
    """Return the id of an event: BLAKE2b-128 of model digest, symbol, interval, close time and kind.

    The close time is that of the signal, for its outcome too: one bar may resolve several signals.
    """
    body = event.body
    close_time = body.signal_close_time if isinstance(body, Outcome) else event.bar_close_time
    names = f"{event.model.digest}\0{event.symbol}\0{event.interval}\0{close_time}\0{int(event.kind)}"
    return hashlib.blake2b(names.encode(), digest_size=EVENT_ID_BYTES).digest()


def _shifted(event: Event, head: int) -> Event:
    body = event.body
    if isinstance(body, Buy):
        body = Buy(body.confidence_sequence + head, body.signal)
    return Event(
        event.sequence + head, event.symbol, event.interval, event.bar_close_time, event.publish_time,
        event.model, body,
    )  # fmt: skip


def _expire_time(event: Event) -> int:
    match event.body:
        case Signal(expire_time=expire_time) | Buy(signal=Signal(expire_time=expire_time)):
            return expire_time
        case Outcome():
            return 0
