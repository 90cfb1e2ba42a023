"""Events, in both directions; and the joining of encoded events into batches."""

from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.values import (
    Buy,
    Confidence,
    DataState,
    Direction,
    Entry,
    Event,
    LabelKind,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.rpc.convert.layout import key, varint
from glasstape_server.rpc.convert.market import bar_from, bar_to, microseconds, timestamp
from glasstape_server.signals.delivery.burst import Page

DIRECTIONS: tuple[ipb.Direction.ValueType, ...] = (ipb.DIRECTION_DOWN, ipb.DIRECTION_FLAT, ipb.DIRECTION_UP)
"""Wire direction by class index."""
ENTRIES: dict[Entry, ipb.Entry.ValueType] = {
    Entry.CURRENT_CLOSE: ipb.ENTRY_CURRENT_CLOSE,
    Entry.NEXT_CLOSE: ipb.ENTRY_NEXT_CLOSE,
}

LABEL_KINDS: dict[LabelKind, pb.LabelKind.ValueType] = {
    "horizon": pb.LABEL_KIND_HORIZON,
    "triple_barrier": pb.LABEL_KIND_TRIPLE_BARRIER,
}


def direction_from(value: int) -> Direction | None:
    """A domain direction; None for UNSPECIFIED."""
    return None if value == ipb.DIRECTION_UNSPECIFIED else Direction(value - 1)


def ref_to(ref: ModelRef) -> ipb.ModelRef:
    """A model's identity for the wire."""
    return ipb.ModelRef(
        name=ref.name,
        version=ref.version,
        digest=ref.digest,
        feature_spec_hash=ref.feature_spec_hash,
    )


def confidence_to(confidence: Confidence) -> ipb.Confidence:
    """Confidences for the wire."""
    direction = confidence.direction
    return ipb.Confidence(
        direction=DIRECTIONS[direction],
        class_index=int(direction),
        down=confidence.down,
        flat=confidence.flat,
        up=confidence.up,
        abstained=confidence.abstained,
        novelty=confidence.novelty,
    )


def confidence_from(message: ipb.Confidence) -> Confidence:
    """Confidences from the wire."""
    return Confidence(message.down, message.flat, message.up, message.abstained, message.novelty)


def encode_event(event: Event) -> bytes:
    """The bytes of an event, as journalled and as sent."""
    message = pb.Event(
        sequence=event.sequence,
        symbol=event.symbol,
        interval=event.interval,
        bar_close_time=timestamp(event.bar_close_time),
        publish_time=timestamp(event.publish_time),
        model=ref_to(event.model),
    )
    match event.body:
        case Signal() as made:
            message.confidence.CopyFrom(_signal_to(made))
        case Buy() as buy:
            message.buy.confidence_sequence = buy.confidence_sequence
            message.buy.signal.CopyFrom(_signal_to(buy.signal))
        case Outcome() as outcome:
            message.outcome.CopyFrom(_outcome_to(outcome))
    return message.SerializeToString()


def decode_event(payload: bytes, model: ModelRef) -> Event:
    """The event of journaled bytes and the model beside them."""
    message = pb.Event.FromString(payload)
    body: Signal | Buy | Outcome
    match message.WhichOneof("kind"):
        case "buy":
            body = Buy(message.buy.confidence_sequence, _signal_from(message.buy.signal))
        case "outcome":
            body = _outcome_from(message.outcome)
        case _:
            body = _signal_from(message.confidence)
    return Event(
        message.sequence,
        message.symbol,
        message.interval,
        microseconds(message.bar_close_time),
        microseconds(message.publish_time),
        model,
        body,
    )


def join_batch(token: bytes, through: int, page: Page, conflated: int, snapshot: bool) -> bytes:
    """A SignalsResponse with a batch, made of events that were encoded when they were journalled.

    A serialized repeated field is a concatenation of its elements, so nothing is encoded again, and of a page that
    several subscribers get, nothing is joined again.
    """
    if page.encoded is None:
        parts: list[bytes] = []
        for record in page.records:
            parts += (_EVENT, varint(len(record.payload)), record.payload)
        page.encoded = b"".join(parts)
    rest = pb.EventBatch(conflated_count=conflated, snapshot=snapshot).SerializeToString()
    head = pb.SignalsResponse(resume_token=token, through_sequence=through).SerializeToString()
    return b"".join((head, _BATCH, varint(len(page.encoded) + len(rest)), page.encoded, rest))


_EVENT = key(pb.EventBatch, "events")
_BATCH = key(pb.SignalsResponse, "batch")


def _signal_to(made: Signal) -> pb.Signal:
    return pb.Signal(
        confidence=confidence_to(made.confidence),
        bar=bar_to(made.bar),
        reference_close=made.bar.close,
        previous_session_close=made.previous_session_close,
        horizon_bars=made.horizon_bars,
        entry=ENTRIES[made.entry],
        expire_time=timestamp(made.expire_time),
        data_state=mpb.DataState.ValueType(int(made.data_state)),
        flat_threshold=made.flat_threshold,
        label_kind=LABEL_KINDS[made.label_kind],
    )


def _signal_from(message: pb.Signal) -> Signal:
    has_previous = message.HasField("previous_session_close")
    return Signal(
        confidence=confidence_from(message.confidence),
        bar=bar_from(message.bar),
        previous_session_close=message.previous_session_close if has_previous else None,
        horizon_bars=message.horizon_bars,
        entry=next(entry for entry, value in ENTRIES.items() if value == message.entry),
        expire_time=microseconds(message.expire_time),
        data_state=DataState(message.data_state),
        flat_threshold=message.flat_threshold,
        label_kind="triple_barrier" if message.label_kind == pb.LABEL_KIND_TRIPLE_BARRIER else "horizon",
    )


def _outcome_to(outcome: Outcome) -> pb.Outcome:
    return pb.Outcome(
        confidence_sequence=outcome.confidence_sequence,
        signal_bar_close_time=timestamp(outcome.signal_close_time),
        predicted=DIRECTIONS[outcome.predicted],
        realised=DIRECTIONS[outcome.realised],
        realised_return=outcome.realised_return,
        hit=outcome.hit,
        abstained=outcome.confidence.abstained,
        confidence=confidence_to(outcome.confidence),
    )


def _outcome_from(message: pb.Outcome) -> Outcome:
    return Outcome(
        confidence_sequence=message.confidence_sequence,
        signal_close_time=microseconds(message.signal_bar_close_time),
        predicted=Direction(message.predicted - 1),
        realised=Direction(message.realised - 1),
        realised_return=message.realised_return,
        confidence=confidence_from(message.confidence),
    )
