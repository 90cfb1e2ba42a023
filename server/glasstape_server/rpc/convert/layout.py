"""Encoding of many messages of one shape at once, as rows of bytes.

Messages whose fields all have a fixed size differ only in the bytes of their values. A template is made once; a
batch of messages is a structured array of its copies with the values filled in by column, so that a message costs a few
memory copies instead of a call for each field. Numbers are written in a fixed number of bytes, zeros too, which every
protobuf parser accepts.
"""

from functools import cached_property
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_Column = Any
"""Type of a column, as numpy states it."""

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}


MAX_DIGITS = 10
"""Digits of the longest varint."""


def varint(value: int, digits: int = 1) -> bytes:
    """Return a number as a protobuf varint (base 128, low digits first), with at least `digits` digits."""
    encoded = bytearray()
    while value > 0x7F or len(encoded) < digits - 1:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def key(message: type[Message], field: str) -> bytes:
    """Return the tag of a field: its number and wire type."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    wire_type = _LENGTH if descriptor.is_packed else _WIRE_TYPES.get(descriptor.type, _VARINT)
    return varint(descriptor.number << 3 | wire_type)


def prefixed(message: type[Message], field: str, value: bytes) -> bytes:
    """Return an encoded field of text, bytes or a message."""
    return key(message, field) + varint(len(value)) + value


def sized_number(message: type[Message], field: str, value: int, size: int) -> bytes:
    """Return an encoded field of a number below 128 in exactly `size` bytes, at least two.

    It has as many digits as it takes, and is repeated if that is not enough: of several values, the last one counts.
    """
    tag = key(message, field)
    encoded = b""
    while size > len(tag) + MAX_DIGITS:
        digits = min(MAX_DIGITS, size - 2 * len(tag) - 1)
        encoded += tag + varint(value, digits)
        size -= len(tag) + digits
    return encoded + tag + varint(value, size - len(tag))


class Layout:
    """Template of a message, made field by field. The values of its varying fields are columns of an array."""

    def __init__(self, message: type[Message]) -> None:
        self._message = message
        self._template = bytearray()
        self._columns: dict[str, tuple[_Column, int]] = {}
        """Type and offset of each varying field."""

    def __len__(self) -> int:
        return len(self._template)

    def constant(self, data: bytes) -> "Layout":
        """Add encoded fields that are equal in every message."""
        self._template += data
        return self

    def varying_field(self, field: str, kind: str) -> "Layout":
        """Add a field whose value varies: a double ("<f8") or a number below 128 ("u1")."""
        self._template += key(self._message, field)
        return self.varying_bytes(field, kind)

    def varying_bytes(self, name: str, kind: _Column) -> "Layout":
        """Add bytes that vary, encoded fields with their tags; `kind` as numpy states types."""
        self._columns[name] = kind, len(self._template)
        self._template += bytes(np.dtype(kind).itemsize)
        return self

    def floats(self, field: str, count: int) -> "Layout":
        """Add a field of `count` packed floats; its column is (row, count)."""
        self._template += key(self._message, field) + varint(4 * count)
        return self.varying_bytes(field, ("<f4", (count,)))

    def message(self, field: str, inner: "Layout") -> "Layout":
        """Add a nested message; its varying fields are named "field.inner"."""
        self._template += key(self._message, field) + varint(len(inner))
        for name, (kind, offset) in inner._columns.items():
            self._columns[f"{field}.{name}"] = kind, len(self._template) + offset
        self._template += inner._template
        return self

    def messages(self, field: str, inner: "Layout", count: int) -> "Layout":
        """Add a repeated field of `count` messages; its column is (row, count), of columns named as in `inner`."""
        element = Layout(self._message).message(field, inner)
        columns = {name.removeprefix(f"{field}."): column for name, column in element._columns.items()}
        self._columns[field] = (_structure(columns, len(element)), (count,)), len(self._template)
        self._template += element._template * count
        return self

    def rows(self, count: int) -> NDArray[np.void]:
        """Return encoded messages, (count,), with zeros in all varying fields, which are the columns to fill."""
        return np.frombuffer(self._template * count, self._structure)

    @cached_property
    def _structure(self) -> np.dtype[np.void]:
        return _structure(self._columns, len(self))


def _structure(columns: dict[str, tuple[_Column, int]], size: int) -> np.dtype[np.void]:
    kinds, offsets = zip(*columns.values(), strict=True)
    return np.dtype({"names": list(columns), "formats": kinds, "offsets": offsets, "itemsize": size})
