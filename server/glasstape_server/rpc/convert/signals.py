"""Events, in both directions."""

from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.bars import DataState
from glasstape_server.domain.signals import (
    Buy,
    Direction,
    Entry,
    Event,
    LabelKind,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.rpc.convert.market import bar_from, bar_to, microseconds, timestamp
from glasstape_server.rpc.convert.predictions import DIRECTIONS, confidence_from, confidence_to

ENTRIES: dict[Entry, ipb.EntryPrice.ValueType] = {
    Entry.CURRENT_CLOSE: ipb.ENTRY_PRICE_CURRENT_CLOSE,
    Entry.NEXT_CLOSE: ipb.ENTRY_PRICE_NEXT_CLOSE,
}

LABEL_KINDS: dict[LabelKind, pb.LabelKind.ValueType] = {
    "horizon": pb.LABEL_KIND_HORIZON,
    "triple_barrier": pb.LABEL_KIND_TRIPLE_BARRIER,
}


def encode_event(event: Event) -> bytes:
    """Return the bytes of an event, as journaled and as sent; its model travels beside it."""
    message = pb.Event(
        sequence=event.sequence,
        symbol=event.symbol,
        interval=event.interval,
        bar_close_time=timestamp(event.bar_close_time),
        publish_time=timestamp(event.publish_time),
    )
    match event.body:
        case Signal() as signal:
            message.confidence.CopyFrom(_signal_to(signal))
        case Buy() as buy:
            message.buy.confidence_sequence = buy.confidence_sequence
            message.buy.signal.CopyFrom(_signal_to(buy.signal))
        case Outcome() as outcome:
            message.outcome.CopyFrom(_outcome_to(outcome))
    return message.SerializeToString()


def decode_event(payload: bytes, model: ModelRef) -> Event:
    """Return the event of journaled bytes, and of the model that was journaled beside them."""
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


def event_message(payload: bytes, model_index: int) -> pb.Event:
    """Return the message of journaled bytes, pointing into the model table of its message."""
    message = pb.Event.FromString(payload)
    message.model_index = model_index
    return message


def _signal_to(signal: Signal) -> pb.Signal:
    return pb.Signal(
        probabilities=confidence_to(signal.confidence),
        bar=bar_to(signal.bar),
        reference_close=signal.bar.close,
        previous_session_close=signal.previous_session_close,
        horizon_bars=signal.horizon_bars,
        entry=ENTRIES[signal.entry],
        expire_time=timestamp(signal.expire_time),
        data_state=mpb.DataState.ValueType(int(signal.data_state)),
        flat_threshold=signal.flat_threshold,
        label_kind=LABEL_KINDS[signal.label_kind],
        missing_bars=signal.missing_bars,
        missing_symbols=signal.missing_symbols,
        rank_score=signal.rank_score,
        close_rank=signal.close_rank,
        close_size=signal.close_size,
    )


def _signal_from(message: pb.Signal) -> Signal:
    has_previous = message.HasField("previous_session_close")
    return Signal(
        confidence=confidence_from(message.probabilities),
        bar=bar_from(message.bar),
        previous_session_close=message.previous_session_close if has_previous else None,
        horizon_bars=message.horizon_bars,
        entry=next(entry for entry, value in ENTRIES.items() if value == message.entry),
        expire_time=microseconds(message.expire_time),
        data_state=DataState(message.data_state),
        flat_threshold=message.flat_threshold,
        label_kind="triple_barrier" if message.label_kind == pb.LABEL_KIND_TRIPLE_BARRIER else "horizon",
        missing_bars=message.missing_bars,
        missing_symbols=message.missing_symbols,
        rank_score=message.rank_score if message.HasField("rank_score") else None,
        close_rank=message.close_rank,
        close_size=message.close_size,
    )


def _outcome_to(outcome: Outcome) -> pb.Outcome:
    return pb.Outcome(
        confidence_sequence=outcome.confidence_sequence,
        signal_bar_close_time=timestamp(outcome.signal_close_time),
        predicted=DIRECTIONS[outcome.predicted],
        realized=DIRECTIONS[outcome.realized],
        realized_return=outcome.realized_return,
        hit=outcome.hit,
        abstained=outcome.confidence.abstained,
        probabilities=confidence_to(outcome.confidence),
    )


def _outcome_from(message: pb.Outcome) -> Outcome:
    return Outcome(
        confidence_sequence=message.confidence_sequence,
        signal_close_time=microseconds(message.signal_bar_close_time),
        predicted=Direction(message.predicted - 1),
        realized=Direction(message.realized - 1),
        realized_return=message.realized_return,
        confidence=confidence_from(message.probabilities),
    )
