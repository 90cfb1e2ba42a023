"""Encoded messages by column: those of one shape have their fields at the same places."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from numpy.typing import NDArray

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_WIRE_TYPES = {
    FieldDescriptor.TYPE_DOUBLE: _FIXED64,
    FieldDescriptor.TYPE_FLOAT: _FIXED32,
    FieldDescriptor.TYPE_STRING: _LENGTH,
    FieldDescriptor.TYPE_BYTES: _LENGTH,
    FieldDescriptor.TYPE_MESSAGE: _LENGTH,
}
"""Of all types that the contract has but integers and enums, which are varints."""


class OddMessage(ValueError):
    """A message that has no shape of its own: a field twice, one of a newer contract, or bytes that are no message."""


@dataclass(slots=True)
class Shape:
    """Where the fields of a message are, by their path, for example `confidence.bar.close`."""

    fixed: NDArray[np.uint8]
    """Bits that all messages of the shape have in common: tags, lengths, and how far numbers reach, (byte,)."""
    places: dict[str, slice] = field(default_factory=dict)

    @classmethod
    def of(cls, data: bytes, message: Descriptor) -> "Shape":
        """Return the shape of an encoded message.

        Raises:
            OddMessage: it has none.
        """
        shape = cls(np.zeros(len(data), np.uint8))
        try:
            shape._read(data, 0, len(data), message, "")
        except IndexError:
            raise OddMessage from None
        return shape

    def matching(self, rows: NDArray[np.uint8], own: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which messages of the same size have this shape, (n,).

        Args:
            rows: messages, (n, byte).
            own: the message that it is the shape of, (byte,).
        """
        differing = (rows ^ own) & self.fixed
        # Most often all are alike, which is seen many times faster than row by row.
        return np.asarray(~differing.any(axis=1)) if differing.any() else np.ones(len(rows), np.bool_)

    def _read(self, data: bytes, start: int, end: int, message: Descriptor, path: str) -> None:
        while start < end:
            tag, value = _varint(data, start)
            self.fixed[start:value] = 0xFF
            known = message.fields_by_number.get(tag >> 3)
            if known is None or known.is_repeated or (name := path + known.name) in self.places:
                raise OddMessage
            wire_type = _WIRE_TYPES.get(known.type, _VARINT)
            if tag & 7 != wire_type:
                raise OddMessage
            if wire_type == _VARINT:
                start = _varint(data, value)[1]
                self.fixed[value:start] = 0x80
            elif wire_type in _WIDTHS:
                start = value + _WIDTHS[wire_type]
            else:
                length, content = _varint(data, value)
                self.fixed[value:content] = 0xFF
                value, start = content, content + length
                if known.message_type is not None and start <= end:
                    self._read(data, value, start, known.message_type, name + ".")
            if start > end:
                raise OddMessage
            self.places[name] = slice(value, start)


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7


@dataclass(frozen=True, slots=True)
class Alike:
    """Messages of one shape."""

    places: dict[str, slice]
    rows: NDArray[np.intp]
    """Which of the messages these are, (n,)."""
    data: NDArray[np.uint8]
    """(n, byte)"""

    def numbers(self, path: str) -> NDArray[np.int64]:
        """Return integers; 0 where they are not held."""
        numbers = np.zeros(len(self.rows), np.int64)
        for place, digits in enumerate(self.data[:, self.places.get(path, slice(0, 0))].T):
            numbers |= (digits & 0x7F).astype(np.int64) << 7 * place
        return numbers

    def doubles(self, path: str) -> NDArray[np.float64]:
        """Return doubles; 0 where they are not held."""
        where = self.places.get(path)
        if where is None:
            return np.zeros(len(self.rows))
        return np.ascontiguousarray(self.data[:, where]).view("<f8")[:, 0]

    def texts(self, path: str) -> NDArray[np.str_]:
        """Return texts.

        Raises:
            OddMessage: they hold anything but ASCII.
        """
        where = self.places.get(path, slice(0, 0))
        data = np.ascontiguousarray(self.data[:, where])
        if not data.shape[1]:
            return np.full(len(data), "")
        if data.min() < 1 or data.max() > 0x7F:
            raise OddMessage
        return data.view(f"S{data.shape[1]}")[:, 0].astype(np.str_)


def by_shape(messages: list[bytes], message: Descriptor) -> Iterator[Alike]:
    """Yield messages of one type by their shape.

    Raises:
        OddMessage: one has none.
    """
    sizes = np.fromiter(map(len, messages), np.intp, len(messages))
    ends = sizes.cumsum()
    data: Any = np.frombuffer(b"".join(messages), np.uint8)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        found = (
            data[(ends[rows] - size)[:, None] + np.arange(size)]
            if len(rows) < len(sizes)
            else data.reshape(-1, size)
        )
        while len(rows):
            shape = Shape.of(messages[rows[0]], message)
            alike = shape.matching(found, found[0])
            yield Alike(shape.places, rows[alike], found[alike] if not alike.all() else found)
            rows, found = rows[~alike], found[~alike]
