"""The feed's messages as bytes."""

from collections.abc import Callable, Sequence

from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from glasstape_server.domain.signals import ModelRef
from glasstape_server.market.clock import Clock, wall_time
from glasstape_server.rpc.convert.layout import key, prefixed, varint
from glasstape_server.rpc.convert.market import bar_to, timestamp
from glasstape_server.rpc.convert.predictions import ModelTable, ref_to
from glasstape_server.signals.delivery import messages as feed
from glasstape_server.signals.delivery.record_batch import Page
from glasstape_server.signals.journal.records import Record
from glasstape_server.signals.performance.calibration import State as CalibrationState
from glasstape_server.signals.performance.live import Live

CONTRACT_VERSION = "1.0"
RETRY_DELAY_SECONDS = 1
"""Retry delay that a draining server suggests."""


Active = tuple[ModelRef, Live | None]
"""The active model and its live figures."""


class StreamEncoder:
    """Encodes one stream."""

    def __init__(self, clock: Clock, active: Callable[[], Active | None]) -> None:
        self._clock = clock
        self._active = active

    def encode(self, message: feed.Message) -> bytes:
        """Return the bytes of a SignalsResponse."""
        body = message.body
        if isinstance(body, feed.Batch):
            return batch_to(message.token, message.sequence, body.page, body.conflated, body.snapshot)
        response = pb.SignalsResponse(resume_token=message.token, through_sequence=message.sequence)
        match body:
            case feed.Opened():
                response.opened.CopyFrom(self._opened(body))
            case feed.Quotes():
                response.quotes.bars.extend(bar_to(bar) for bar in body.bars)
            case feed.Heartbeat():
                response.heartbeat.CopyFrom(self._heartbeat())
            case feed.Gap():
                response.gap.CopyFrom(
                    pb.SequenceGap(
                        first_sequence=body.first,
                        last_sequence=body.last,
                        reason=pb.GAP_REASON_NOT_RETAINED,
                    )
                )
            case feed.Goodbye():
                response.goodbye.CopyFrom(
                    pb.Goodbye(
                        reason=pb.GoodbyeReason.ValueType(int(body.reason)),
                        retry_delay=Duration(
                            seconds=RETRY_DELAY_SECONDS * (body.reason is feed.GoodbyeReason.DRAIN)
                        ),
                    )
                )
        return response.SerializeToString()

    def _opened(self, body: feed.Opened) -> pb.Opened:
        active = self._active()
        bounds = body.bounds
        return pb.Opened(
            result=pb.OpenResult.ValueType(int(body.result)),
            reset_reason=pb.ResetReason.ValueType(int(body.reason)),
            epoch=bounds.epoch.hex(),
            head_sequence=bounds.head,
            earliest_sequence=bounds.earliest if bounds.head else 0,
            contract_version=CONTRACT_VERSION,
            model=ipb.ModelRef() if active is None else ref_to(active[0]),
        )

    def _heartbeat(self) -> pb.Heartbeat:
        last, active = self._clock.last_close, self._active()
        live = None if active is None else active[1]
        state = CalibrationState.UNKNOWN if live is None else live.state
        return pb.Heartbeat(
            server_time=timestamp(wall_time()),
            market_time=timestamp(self._clock.now()),
            data_state=mpb.DataState.ValueType(int(self._clock.state())),
            last_bar_close_time=None if last is None else timestamp(last),
            calibration=ipb.CalibrationState.ValueType(int(state)),
            drifted=live is not None and live.drifted,
        )


def batch_to(token: bytes, through: int, page: Page, conflated: int, snapshot: bool) -> bytes:
    """Return a SignalsResponse with a batch, made of events that were encoded when they were journaled.

    A serialized repeated field is a concatenation of its elements, so nothing is encoded again. Of a page that several
    subscribers receive, events are joined once, and subscribers at the same position receive the same message.
    """
    stated = (token, through, conflated, snapshot)
    if page.message is None or page.message[0] != stated:
        if page.encoded is None:
            page.encoded = _events(page.records)
        rest = pb.EventBatch(conflated_count=conflated, snapshot=snapshot).SerializeToString()
        head = pb.SignalsResponse(resume_token=token, through_sequence=through).SerializeToString()
        length = varint(len(page.encoded) + len(rest))
        page.message = (stated, b"".join((head, _BATCH, length, page.encoded, rest)))
    return page.message[1]


def _events(records: Sequence[Record]) -> bytes:
    """Return the events and models of an EventBatch."""
    table = ModelTable()
    parts: list[bytes] = []
    for record in records:
        payload, index = record.payload, table.index(record.model)
        if index:  # protobuf reads fields in any order; index 0 is the default, and is not encoded
            payload += _MODEL_INDEX + varint(index)
        parts += (_EVENT, varint(len(payload)), payload)
    parts += [prefixed(pb.EventBatch, "models", model.SerializeToString()) for model in table.messages()]
    return b"".join(parts)


_EVENT = key(pb.EventBatch, "events")
_MODEL_INDEX = key(pb.Event, "model_index")
_BATCH = key(pb.SignalsResponse, "batch")
