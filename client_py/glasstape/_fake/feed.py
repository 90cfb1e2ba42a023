"""The journal of a fake server and the streams that follow it."""

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from glasstape._convert.filters import matches
from glasstape._convert.market import bars_to
from glasstape._convert.outgoing import event_to
from glasstape._convert.references import ModelTable, ref_to
from glasstape.errors import GlasstapeError, OutOfRangeError, UnavailableError
from glasstape.types.inference import ModelRef
from glasstape.types.market import Bar
from glasstape.types.signals import Event
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb

START = pb.SignalsRequest


class FakeFeed:
    """Events, quotes and failures of a feed. Threads may share it."""

    def __init__(self, model: ModelRef) -> None:
        self.epoch = 1
        self.contract_version = "1.0"
        self._model = model
        self._events: list[pb.Event] = []
        self._models = ModelTable()
        self._quotes: list[mpb.Bar] = []
        self._earliest = 1
        self._generation = 0
        self._frozen = self._closed = False
        self._changed = threading.Condition()

    def emit(self, event: Event) -> int:
        """Journal an event, send it to every stream, and return its sequence."""
        with self._changed:
            sequence = len(self._events) + 1
            self._events.append(event_to(event, sequence, self._models))
            self._changed.notify_all()
            return sequence

    def send_quotes(self, bars: Iterable[Bar]) -> None:
        """Send provisional bars to every stream that requested quotes."""
        with self._changed:
            self._quotes += bars_to(list(bars))
            self._changed.notify_all()

    def break_streams(self) -> None:
        """End every open stream with UNAVAILABLE."""
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def close(self) -> None:
        """End every stream, later ones too."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def freeze(self, frozen: bool) -> None:
        """Stop sending, or continue."""
        with self._changed:
            self._frozen = frozen
            self._changed.notify_all()

    def forget_before(self, sequence: int) -> None:
        """Refuse tokens before `sequence` as too old."""
        with self._changed:
            self._earliest = sequence

    def begin_epoch(self) -> None:
        """Begin a new epoch: older tokens are answered with RESET."""
        with self._changed:
            self.epoch += 1
        self.break_streams()

    def page(self, request: pb.ListSignalsRequest) -> pb.ListSignalsResponse:
        """Return every event that a request selects, on one page."""
        with self._changed:
            last = request.end_sequence or len(self._events)
            events = [
                event
                for event in self._events[max(0, request.start_sequence - 1) : last]
                if matches(event, request)
            ]
            return pb.ListSignalsResponse(
                events=events[::-1] if request.descending else events,
                models=self._models.models,
                epoch=self._epoch_id(),
            )

    def follow(
        self, request: pb.SignalsRequest, is_active: Callable[[], bool]
    ) -> Iterator[pb.SignalsResponse]:
        """Yield the messages of a stream.

        Raises:
            OutOfRangeError: the resume token is too old.
            UnavailableError: the streams were broken.
        """
        with self._changed:
            generation, epoch, quoted = self._generation, self.epoch, len(self._quotes)
            position, opened = self._open(request)
            snapshot = (
                self._snapshot(request, position) if self._begins_with_snapshot(request, opened) else None
            )
        yield self._response(epoch, position, opened=opened)
        if snapshot is not None:
            yield self._response(epoch, position, batch=snapshot)
        heartbeat = (request.heartbeat_interval.ToMicroseconds() or 1_000_000) / 1e6
        while True:
            with self._changed:
                due = partial(self._is_due, generation, position, quoted if request.quotes else None)
                self._changed.wait_for(due, timeout=heartbeat)
                over = self._is_over(generation) or not is_active()
                if self._frozen and not over:
                    continue
                events, models = self._events[position:], self._models.models
                quotes = self._quotes[quoted:] if request.quotes else []
                quoted = len(self._quotes)
            position += len(events)
            events = [event for event in events if matches(event, request)]
            if events:
                yield self._response(epoch, position, batch=pb.EventBatch(events=events, models=models))
            if quotes:
                yield pb.SignalsResponse(quotes=pb.QuoteBatch(bars=quotes))
            if over:
                raise UnavailableError("the fake server broke this stream")
            if not events and not quotes:
                yield self._response(epoch, position, heartbeat=_heartbeat())

    def _is_over(self, generation: int) -> bool:
        return self._closed or self._generation != generation

    def _is_due(self, generation: int, position: int, quoted: int | None) -> bool:
        """Return whether a stream has something to send; `quoted` is None without quotes."""
        news = len(self._events) > position or (quoted is not None and len(self._quotes) > quoted)
        return self._is_over(generation) or (news and not self._frozen)

    def _open(self, request: pb.SignalsRequest) -> tuple[int, pb.Opened]:
        """Return the position where a stream begins and its first message."""
        position, result, reason = len(self._events), pb.OPEN_RESULT_STARTED, pb.RESET_REASON_UNSPECIFIED
        if request.resume_token:
            token_epoch, token_position = map(int, request.resume_token.split(b":"))
            if token_epoch != self.epoch:
                result, reason = pb.OPEN_RESULT_RESET, pb.RESET_REASON_EPOCH_CHANGED
            elif token_position < self._earliest - 1:
                raise _too_old(self._earliest, token_position)
            else:
                result, position = pb.OPEN_RESULT_RESUMED, token_position
        elif request.start == START.START_EARLIEST:
            position = self._earliest - 1
        return position, pb.Opened(
            result=result,
            reset_reason=reason,
            epoch=self._epoch_id(),
            head_sequence=len(self._events),
            earliest_sequence=self._earliest,
            contract_version=self.contract_version,
            model=ref_to(self._model),
        )

    def _begins_with_snapshot(self, request: pb.SignalsRequest, opened: pb.Opened) -> bool:
        started = opened.result == pb.OPEN_RESULT_STARTED
        by_default = request.start in (START.START_UNSPECIFIED, START.START_SNAPSHOT)
        return (started and by_default) or opened.result == pb.OPEN_RESULT_RESET

    def _snapshot(self, request: pb.SignalsRequest, position: int) -> pb.EventBatch:
        """Return the newest confidence and buy of each symbol."""
        newest = {
            (event.symbol, event.WhichOneof("kind")): event
            for event in self._events[:position]
            if matches(event, request)
        }
        chosen = [event for (_, kind), event in newest.items() if kind != "outcome"]
        events = sorted(chosen, key=lambda event: event.sequence)
        return pb.EventBatch(events=events, models=self._models.models, snapshot=True)

    def _epoch_id(self) -> str:
        return f"{self.epoch:016x}"

    def _response(self, epoch: int, position: int, **body: Any) -> pb.SignalsResponse:
        return pb.SignalsResponse(
            resume_token=b"%d:%d" % (epoch, position), through_sequence=position, **body
        )


def _heartbeat() -> pb.Heartbeat:
    beat = pb.Heartbeat(data_state=mpb.DATA_STATE_LIVE)
    beat.server_time.FromDatetime(datetime.now(UTC))
    beat.market_time.CopyFrom(beat.server_time)
    return beat


def _too_old(earliest: int, position: int) -> GlasstapeError:
    metadata = {"earliest_sequence": str(earliest), "sequence": str(position)}
    return OutOfRangeError("resume_token: too old", reason="TOKEN_TOO_OLD", metadata=metadata)
