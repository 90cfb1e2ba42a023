"""Journaled events as views of their messages."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from glasstape._convert.common import enum_from, time_from
from glasstape._convert.inference import confidence_from, direction_of
from glasstape._convert.market import bar_from
from glasstape._convert.view import Read, setters, view_of
from glasstape.types.enums import DataState, Direction, EntryPrice, LabelKind
from glasstape.types.inference import ModelRef
from glasstape.types.signals import BuyEvent, ConfidenceEvent, Event, OutcomeEvent, Signal
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import market_pb2 as mpb
from glasstape.v1 import signals_pb2 as pb


def events_from(
    messages: Iterable[pb.Event], models: Sequence[ModelRef], snapshot: bool = False
) -> Iterator[Event]:
    """Yield journaled events, without those of a kind that a newer contract has; `models` is their message's table."""
    for message in messages:
        event = event_from(message, models, snapshot)
        if event is not None:
            yield event


def event_from(message: pb.Event, models: Sequence[ModelRef], snapshot: bool = False) -> Event | None:
    """Return a journaled event, decoded as it is read; None for a kind of a newer contract.

    Args:
        message: the event.
        models: the table of its message.
        snapshot: whether it is part of a snapshot.

    Raises:
        LookupError, ValueError: it has no direction, or a model beyond the table. A time beyond those of a datetime
            raises DataLossError when it is read.
    """
    make = _MAKERS.get(message.WhichOneof("kind") or "")
    return None if make is None else make(message, models[message.model_index], snapshot)


def signal_from(message: pb.Signal) -> Signal:
    """Return a signal."""
    has_previous = message.HasField("previous_session_close")
    return Signal(
        probabilities=confidence_from(message.probabilities),
        bar=bar_from(message.bar),
        reference_close=message.reference_close,
        previous_session_close=message.previous_session_close if has_previous else None,
        horizon_bars=message.horizon_bars,
        entry=enum_from(ipb.EntryPrice, EntryPrice, message.entry),
        expire_time=time_from(message.expire_time),
        data_state=enum_from(mpb.DataState, DataState, message.data_state),
        flat_threshold=message.flat_threshold,
        label_kind=enum_from(pb.LabelKind, LabelKind, message.label_kind or pb.LABEL_KIND_HORIZON),
        missing_bars=message.missing_bars,
        missing_symbols=message.missing_symbols,
        rank_score=message.rank_score if message.HasField("rank_score") else None,
        close_rank=message.close_rank or None,
        close_size=message.close_size or None,
    )


_COMMON: dict[str, Read] = {
    "sequence": attrgetter("sequence"),
    "symbol": attrgetter("symbol"),
    "interval": attrgetter("interval"),
    "bar_close_time": lambda message: time_from(message.bar_close_time),
    "publish_time": lambda message: time_from(message.publish_time),
}
_OUTCOME: dict[str, Read] = {
    "confidence_sequence": attrgetter("outcome.confidence_sequence"),
    "signal_bar_close_time": lambda message: time_from(message.outcome.signal_bar_close_time),
    "predicted": lambda message: Direction(message.outcome.predicted - 1),
    "realized": lambda message: Direction(message.outcome.realized - 1),
    "realized_return": attrgetter("outcome.realized_return"),
    "hit": attrgetter("outcome.hit"),
    "abstained": attrgetter("outcome.abstained"),
}


def _check_outcome(message: pb.Event) -> None:
    outcome = message.outcome
    Direction(outcome.predicted - 1)
    Direction(outcome.realized - 1)
    direction_of(outcome.probabilities)


Make = Callable[[pb.Event, ModelRef, bool], Any]


def _maker(view: type[Any], check: Callable[[pb.Event], object]) -> Make:
    new, (set_message, set_model, set_snapshot) = object.__new__, setters(view, "model", "snapshot")

    def make(message: pb.Event, model: ModelRef, snapshot: bool) -> Any:
        check(message)
        event: Any = new(view)
        set_message(event, message)
        set_model(event, model)
        set_snapshot(event, snapshot)
        return event

    return make


_MAKERS: dict[str, Make] = {
    "confidence": _maker(
        view_of(ConfidenceEvent, _COMMON, {"signal": lambda message: signal_from(message.confidence)}),
        lambda message: direction_of(message.confidence.probabilities),
    ),
    "buy": _maker(
        view_of(
            BuyEvent,
            {**_COMMON, "confidence_sequence": attrgetter("buy.confidence_sequence")},
            {"signal": lambda message: signal_from(message.buy.signal)},
        ),
        lambda message: direction_of(message.buy.signal.probabilities),
    ),
    "outcome": _maker(
        view_of(
            OutcomeEvent,
            {**_COMMON, **_OUTCOME},
            {"probabilities": lambda message: confidence_from(message.outcome.probabilities)},
        ),
        _check_outcome,
    ),
}
"""What makes the events of each kind."""
