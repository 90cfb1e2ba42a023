"""Real inputs, damaged; and messages of the right shape with values that nobody would send."""

import os

from effort import effort
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck
from hypothesis import settings as examples
from hypothesis import strategies as st

LONG = int(os.environ.get("GLASSTAPE_FUZZ", 100_000))
"""Examples of a target in the long form: about two minutes of most."""
TRIES = examples(
    max_examples=effort(60, LONG),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def broken(*whole: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of real inputs: cut, flipped, repeated and joined."""

    def damage(data: bytes, cuts, flips, extra: bytes) -> bytes:
        out = bytearray(data)
        for place, value in flips:
            if out:
                out[place % len(out)] = value
        first, last = sorted(cut % (len(out) + 1) for cut in cuts)
        return bytes(out[:first] + extra + out[last:])

    place = st.integers(0, 1 << 16)
    return st.builds(
        damage,
        st.sampled_from(whole),
        st.tuples(place, place),
        st.lists(st.tuples(place, st.integers(0, 255)), max_size=4),
        st.binary(max_size=16),
    ) | st.binary(max_size=200)


def _edges(low: int, high: int) -> st.SearchStrategy[int]:
    return st.sampled_from([0, 1, low, high, low + 1, high - 1, high // 2]) | st.integers(low, high)


_WORDS = st.sampled_from(["", "AAPL", "1d", "windows", "FP32", "sample-conv1d", "sample-conv1d@1", "x" * 300])
_VALUES = {
    FieldDescriptor.CPPTYPE_INT32: _edges(-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_INT64: _edges(-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT32: _edges(0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_UINT64: _edges(0, (1 << 64) - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(-1, 20),
}
DEPTH = 4


def odd(kind: type[Message]) -> st.SearchStrategy[bytes]:
    """Encoded messages of a kind, any of its fields set to anything that it can hold."""
    return _message(kind.DESCRIPTOR, 0).map(lambda message: message.SerializeToString())


def _message(descriptor: Descriptor, depth: int) -> st.SearchStrategy[Message]:
    fields = [f for f in descriptor.fields if depth < DEPTH or f.message_type is None]
    if descriptor.GetOptions().map_entry or not fields:
        return st.just(GetMessageClass(descriptor)())

    @st.composite
    def made(draw: st.DrawFn) -> Message:
        message = GetMessageClass(descriptor)()
        for field in draw(st.lists(st.sampled_from(fields), max_size=4, unique_by=lambda f: f.number)):
            _set(draw, message, field, depth)
        return message

    return made()


def _set(draw: st.DrawFn, message: Message, field: FieldDescriptor, depth: int) -> None:
    values = [draw(_value(field, depth)) for _ in range(draw(st.integers(1, 3)) if field.is_repeated else 1)]
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    held = getattr(message, field.name)
    if field.is_repeated:
        held.extend(values)
    elif field.message_type is not None:
        held.CopyFrom(values[0])
    else:
        setattr(message, field.name, values[0])


def _value(field: FieldDescriptor, depth: int) -> st.SearchStrategy[object]:
    if field.message_type is not None:
        return _message(field.message_type, depth + 1)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=40) | st.sampled_from([bytes(192), bytes(1536)])
    if field.type == FieldDescriptor.TYPE_STRING:
        return _WORDS | st.text(max_size=40)
    return _VALUES[field.cpp_type]
