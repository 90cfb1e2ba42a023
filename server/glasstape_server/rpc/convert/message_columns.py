"""Encoding of many messages of one type at once, by column, to the bytes that protobuf writes.

Each field is a matrix of bytes with a row for each message, of which a message uses the first so many: none of a field
that it does not hold. The matrices stand side by side, and what is used is copied out at once. Messages whose fields
all have a fixed size are encoded by `layout`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from numpy.typing import NDArray

from glasstape_server.domain.arrays import Ints
from glasstape_server.rpc.convert.layout import Bytes, varint

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}

Values = NDArray[Any] | str | int
"""Of a number, or texts as bytes (which end with no zero byte): one for each message, or one for all."""

_DIGIT = 7
_LEAST = np.array([1 << _DIGIT * digits for digits in range(10)], np.uint64)
"""The least number with more than so many digits; 0 has none."""


@dataclass(frozen=True, slots=True)
class Present:
    """Values of an optional field that only some messages hold."""

    values: NDArray[Any]
    where: NDArray[np.bool_]


Column = Values | Present | Mapping[str, "Column"]
"""Values of a field; of a message by the name of its fields. What is not named is not held."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes that follow each other in each message."""

    data: Bytes
    """(message, byte), or (1, byte) if they are equal in all."""
    size: Ints
    """How many of them each message holds, from the first one on, (message,)."""


def encode_messages(message: Descriptor, columns: Mapping[str, Column], count: int) -> list[bytes]:
    """Return encoded messages.

    Args:
        message: their type. Fields are numbers, texts and messages, none of them repeated.
        columns: values of their fields, (count,). Numbers are written as the type says: an integer as a varint.
        count: number of messages.
    """
    if not count:
        return []
    pieces = _pieces(message, columns, count)
    widest = np.zeros((count, sum(piece.data.shape[1] for piece in pieces)), np.uint8)
    held = np.ones(widest.shape, np.bool_)
    end = 0
    for piece in pieces:
        start, end = end, end + piece.data.shape[1]
        widest[:, start:end] = piece.data
        if piece.size.min() < end - start:
            held[:, start:end] = np.arange(end - start) < piece.size[:, None]
    data = widest[held].tobytes()
    ends = np.cumsum(_total(pieces, count))
    return [data[start:end] for start, end in pairwise([0, *ends.tolist()])]


def _pieces(message: Descriptor, columns: Mapping[str, Column], count: int) -> list[_Piece]:
    fields = message.fields_by_name
    pieces: list[_Piece] = []
    for name in sorted(columns, key=lambda name: fields[name].number):
        pieces += _field(fields[name], columns[name], count)
    return pieces


def _field(field: FieldDescriptor, column: Column, count: int) -> list[_Piece]:
    """Return tag and value of a field."""
    if isinstance(column, Mapping):
        assert field.message_type is not None
        inner = _pieces(field.message_type, column, count)
        length = _varints(_total(inner, count))
        # A length of 0 is written, unlike a number that is 0.
        return [_tagged(field, _LENGTH, _Piece(length.data, np.maximum(length.size, 1)), None), *inner]
    held = np.ones(count, np.bool_) if field.has_presence else None
    if isinstance(column, Present):
        return _value(field, column.values, column.where, count)
    return _value(field, column, held, count)


def _value(
    field: FieldDescriptor, values: Values, held: NDArray[np.bool_] | None, count: int
) -> list[_Piece]:
    """Return tag and value of a field that is no message; `held` None: a default is not written."""
    if field.type == FieldDescriptor.TYPE_STRING:
        text = _texts(values, count)
        length = _varints(text.size)
        return [_tagged(field, _LENGTH, length, length.size > 0), text]
    numbers = np.broadcast_to(np.asarray(values), count)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        bits = np.ascontiguousarray(numbers, "<f8").view(np.uint8).reshape(count, 8)
        some = np.asarray(bits.any(axis=1))
        return [_tagged(field, _FIXED64, _Piece(bits, np.full(count, 8)), some if held is None else held)]
    number = _varints(numbers.astype(np.int64))
    if held is None:
        return [_tagged(field, _VARINT, number, number.size > 0)]
    return [_tagged(field, _VARINT, _Piece(number.data, np.maximum(number.size, 1)), held)]


def _tagged(field: FieldDescriptor, wire_type: int, value: _Piece, held: NDArray[np.bool_] | None) -> _Piece:
    """Return a value behind its tag; nothing for the messages that do not hold it."""
    tag = np.frombuffer(varint(field.number << 3 | wire_type), np.uint8)
    data = np.empty((len(value.data), len(tag) + value.data.shape[1]), np.uint8)
    data[:, : len(tag)], data[:, len(tag) :] = tag, value.data
    size = value.size + len(tag)
    return _Piece(data, size if held is None else size * held)


def _varints(values: Ints) -> _Piece:
    """Return numbers as varints; 0 has the size 0."""
    numbers = values.view(np.uint64)
    size = np.searchsorted(_LEAST, numbers, side="right")
    width = max(1, int(size.max(initial=0)))
    digits = numbers[:, None] >> np.arange(0, _DIGIT * width, _DIGIT, dtype=np.uint64) & np.uint64(0x7F)
    more = np.arange(1, width + 1) < size[:, None]
    return _Piece((digits | more.astype(np.uint64) << np.uint64(_DIGIT)).astype(np.uint8), size)


def _texts(values: Any, count: int) -> _Piece:
    texts = np.array([values.encode()], np.bytes_) if isinstance(values, str) else values
    data = texts.view(np.uint8).reshape(len(texts), -1)
    return _Piece(data, np.broadcast_to(np.char.str_len(texts), count))


def _total(pieces: Sequence[_Piece], count: int) -> Ints:
    """Return the bytes of each message, (count,)."""
    return np.asarray(np.sum([np.zeros(count, np.int64), *(piece.size for piece in pieces)], axis=0))
