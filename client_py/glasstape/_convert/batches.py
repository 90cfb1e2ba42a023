"""Batches of events, decoded when they are read: as events, or as columns without an object for each."""

from functools import cached_property
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from glasstape._convert.common import NOT_ALLOWED, not_allowed
from glasstape._convert.events import events_from
from glasstape._convert.references import refs_from
from glasstape._convert.shapes import Alike, OddMessage, by_shape
from glasstape._convert.view import setters, view_of
from glasstape.types.columns import EventColumns
from glasstape.types.signals import Event, EventBatch, columns_of
from glasstape.v1 import signals_pb2 as pb

_SIGNALS = {"confidence": "confidence.", "buy": "buy.signal.", "outcome": "outcome."}
"""Where the signal of an event is, by its kind."""
_MICROSECONDS = 1_000_000


def _with_bytes(message: Any, *fields: str) -> Any:
    """Return the class of a message of the contract that leaves some fields of messages encoded, and others out.

    Both are encoded alike: the length, then the content.
    """
    file = descriptor_pb2.FileDescriptorProto(name="framing.proto", package="framing", syntax="proto3")
    framing = file.message_type.add()
    message.DESCRIPTOR.CopyToProto(framing)
    known = list(framing.field)
    for name in ("field", "nested_type", "enum_type", "oneof_decl"):
        framing.ClearField(name)
    for field in known:
        if field.name in fields:
            field.ClearField("type_name")
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        if not field.type_name:
            field.ClearField("oneof_index")
            framing.field.append(field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"framing.{framing.name}"))


_ResponseFrame = _with_bytes(pb.SignalsResponse, "batch")
_BatchFrame = _with_bytes(pb.EventBatch, "events", "models")


class BatchResponse:
    """A SignalsResponse with a batch that is still encoded."""

    __slots__ = ("batch", "raw", "resume_token", "through_sequence")

    def __init__(self, raw: bytes, frame: Any) -> None:
        self.raw = raw
        self.batch: bytes = frame.batch
        self.resume_token: bytes = frame.resume_token
        self.through_sequence: int = frame.through_sequence


class StreamResponse:
    """The deserializer of a stream."""

    @staticmethod
    def FromString(raw: bytes) -> pb.SignalsResponse | BatchResponse:
        """Return a response; a batch stays encoded."""
        frame = _ResponseFrame.FromString(raw)
        return BatchResponse(raw, frame) if frame.batch else pb.SignalsResponse.FromString(raw)


class _EncodedBatch:
    """An encoded EventBatch."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def frame(self) -> Any:
        """The batch with encoded events."""
        return _BatchFrame.FromString(self._data)

    def events(self) -> tuple[Event, ...]:
        """Return the events.

        Raises:
            DataLossError: they hold what the contract does not allow.
        """
        try:
            message = pb.EventBatch.FromString(self._data)
            return tuple(events_from(message.events, refs_from(message.models), message.snapshot))
        except (*NOT_ALLOWED, DecodeError) as error:
            raise not_allowed("a message of the stream", error) from None


class _BatchView(
    view_of(  # type: ignore[misc]
        EventBatch,
        {
            "conflated_count": lambda batch: batch.frame.conflated_count,
            "snapshot": lambda batch: batch.frame.snapshot,
        },
        {"events": _EncodedBatch.events},
    )
):
    """A batch whose events are decoded when they are read, and whose columns are read from the encoded events."""

    __slots__ = ()

    def columns(self) -> EventColumns:
        encoded = self._message
        if encoded is not None:
            try:
                return _columns(list(encoded.frame.events), len(encoded.frame.models))
            except OddMessage:
                pass  # read event by event, with the errors of that
        return columns_of(self.events)


_new, (_set_message,) = object.__new__, setters(_BatchView)


def batch_from(data: bytes) -> EventBatch:
    """Return a batch of its bytes; events are decoded when they are read."""
    batch: EventBatch = _new(_BatchView)
    _set_message(batch, _EncodedBatch(data))
    return batch


def _columns(events: list[bytes], models: int) -> EventColumns:
    """Return encoded events by column.

    Raises:
        OddMessage: one is to be decoded by itself, or holds what the contract does not allow.
    """
    if not events:
        return columns_of(())
    shapes = list(by_shape(events, pb.Event.DESCRIPTOR))
    parts = [_fields(alike, models) for alike in shapes]
    if len(parts) == 1:
        return EventColumns(**parts[0])
    order = np.concatenate([alike.rows for alike in shapes]).argsort()
    return EventColumns(**{name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]})


def _fields(alike: Alike, models: int) -> dict[str, Any]:
    kinds = [kind for kind in _SIGNALS if kind in alike.places]
    if len(kinds) != 1:
        raise OddMessage
    (kind,), count = kinds, len(alike.rows)
    signal = _SIGNALS[kind]
    stated = signal + "probabilities."
    _check(alike.numbers(stated + "direction"), 1, 3)
    _check(alike.numbers("model_index"), 0, models - 1)
    if kind == "outcome":
        for name in ("predicted", "realized"):
            _check(alike.numbers(signal + name), 1, 3)
    return {
        "sequence": alike.numbers("sequence"),
        "kind": np.full(count, kind),
        "symbol": alike.texts("symbol"),
        "interval": alike.texts("interval"),
        "bar_close_time": _times(alike, "bar_close_time"),
        "publish_time": _times(alike, "publish_time"),
        "close": np.full(count, np.nan) if kind == "outcome" else alike.doubles(signal + "bar.close"),
        "probabilities": np.stack([alike.doubles(stated + name) for name in ("down", "flat", "up")], axis=1),
        "abstained": alike.numbers(stated + "abstained") != 0,
    }


def _times(alike: Alike, path: str) -> Any:
    microseconds = alike.numbers(path + ".seconds") * _MICROSECONDS + alike.numbers(path + ".nanos") // 1000
    return microseconds.astype("M8[us]")


def _check(numbers: Any, least: int, most: int) -> None:
    if numbers.min() < least or numbers.max() > most:
        raise OddMessage
