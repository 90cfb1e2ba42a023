"""Encoding of many messages of one shape at once, as rows of bytes.

Messages whose fields all have a fixed size differ only in the bytes of their values. A template is made once; a
batch of messages is an array of its copies with the values filled in by column, so that a message costs a few
memory copies instead of a call for each field. Small numbers are written in a fixed number of bytes, zeros too,
which every protobuf parser accepts.
"""

from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}


def varint(value: int) -> bytes:
    """Return a number as a protobuf varint (base 128, low digits first)."""
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def key(message: type[Message], field: str) -> bytes:
    """Return the tag of a field: its number and wire type."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    wire_type = _LENGTH if descriptor.is_packed else _WIRE_TYPES.get(descriptor.type, _VARINT)
    return varint(descriptor.number << 3 | wire_type)


def prefixed(message: type[Message], field: str, value: bytes) -> bytes:
    """Return an encoded field of text, bytes or a message."""
    return key(message, field) + varint(len(value)) + value


class Layout:
    """Template of a message, made field by field."""

    def __init__(self, message: type[Message]) -> None:
        self._message = message
        self._template = bytearray()
        self.varying_fields: dict[str, slice] = {}

    def __len__(self) -> int:
        return len(self._template)

    @property
    def template(self) -> bytes:
        """The message with zeros in all varying fields."""
        return bytes(self._template)

    def constant(self, data: bytes) -> "Layout":
        """Add encoded fields that are equal in every message."""
        self._template += data
        return self

    def varying_field(self, field: str, size: int) -> "Layout":
        """Add a field whose value, `size` bytes, varies: a double, a float, or a number below 128 in one byte."""
        self._template += key(self._message, field)
        self.varying_fields[field] = slice(len(self._template), len(self._template) + size)
        self._template += bytes(size)
        return self

    def data(self, field: str, size: int) -> "Layout":
        """Add a field of bytes or packed numbers, of fixed length, whose content varies."""
        self._template += key(self._message, field) + varint(size)
        self.varying_fields[field] = slice(len(self._template), len(self._template) + size)
        self._template += bytes(size)
        return self

    def message(self, field: str, inner: "Layout") -> "Layout":
        """Add a nested message; its varying fields are named "field.inner"."""
        self._template += key(self._message, field) + varint(len(inner))
        for name, where in inner.varying_fields.items():
            start = len(self._template) + where.start
            self.varying_fields[f"{field}.{name}"] = slice(start, start + where.stop - where.start)
        self._template += inner._template
        return self

    def rows(self, count: int, values: dict[str, NDArray[Any]]) -> Bytes:
        """Return encoded messages, (count, bytes), from the values of every varying field, (count, …) in wire order."""
        rows = np.tile(np.frombuffer(self._template, np.uint8), (count, 1))
        for name, where in self.varying_fields.items():
            rows[:, where] = np.ascontiguousarray(values[name]).view(np.uint8).reshape(count, -1)
        return rows
