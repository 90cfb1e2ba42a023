"""A batch of a journal from a list of events: what `CloseBatch` must equal, and what tests append."""

from dataclasses import replace

from glasstape_server.domain.signals import Buy, Outcome, Signal
from glasstape_server.signals.journal.batch import EventBatch, event_id


class PlainBatch(EventBatch):
    """Events numbered from 1 within the batch, each encoded by itself."""

    def __init__(self, events, windows, progress, encode):
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert sum(isinstance(event.body, Signal) for event in events) == len(windows)
        super().__init__(windows, progress)
        self.events = events
        self._encode = encode

    def __len__(self):
        return len(self.events)

    @property
    def resolved(self):
        return [e.body.confidence_sequence for e in self.events if isinstance(e.body, Outcome)]

    def _event_ids(self):
        return [_id_of(event) for event in self.events]

    def _rows(self, head):
        numbered = [_shifted(event, head) for event in self.events]
        return [
            (
                event.sequence, identity, event.kind, event.symbol, event.interval, event.model, event.winning,
                _expire_time(event), self._encode(event),
            )
            for event, identity in zip(numbered, self.event_ids, strict=True)
        ]  # fmt: skip


def _id_of(event):
    body = event.body
    close_time = body.signal_close_time if isinstance(body, Outcome) else event.bar_close_time
    return event_id(event.model.digest, (event.symbol, event.interval), close_time, event.kind)


def _shifted(event, head):
    body = event.body
    if isinstance(body, Buy):
        body = Buy(body.confidence_sequence + head, body.signal)
    return replace(event, sequence=event.sequence + head, body=body)


def _expire_time(event):
    match event.body:
        case Signal(expire_time=expire_time) | Buy(signal=Signal(expire_time=expire_time)):
            return expire_time
        case Outcome():
            return 0
