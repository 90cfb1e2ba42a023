"""Messages made from their descriptors: every field set, one field changed, or random."""

import dataclasses
import struct
from datetime import UTC, datetime

import numpy as np
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

FLOATS = (Field.CPPTYPE_DOUBLE, Field.CPPTYPE_FLOAT)
TIMES = ("google.protobuf.Timestamp", "google.protobuf.Duration")


def full(kind, member=None):
    """A message with every field set; `member` is the field to set of its first oneof."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is not None and len(oneof.fields) > 1 and field.name != (member or oneof.fields[0].name):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["key"] = "value"
        elif field.is_repeated:
            getattr(message, field.name).extend(_items(field))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(_submessage(field))
        else:
            setattr(message, field.name, _scalar(field, 1))
    return message


def variants(kind):
    """One full message for each field of its first oneof that has several."""
    oneofs = [oneof for oneof in kind.DESCRIPTOR.oneofs if len(oneof.fields) > 1]
    return [full(kind, field.name) for field in oneofs[0].fields] if oneofs else [full(kind)]


def leaves(message, path=()):
    """Paths to every leaf that is set: tuples of field names and, behind a repeated field, an index."""
    for field, value in message.ListFields():
        here = (*path, field.name)
        if field.message_type is None or field.message_type.full_name in TIMES or _is_map(field):
            yield here
        elif field.is_repeated:
            for index, item in enumerate(value):
                yield from leaves(item, (*here, index))
        else:
            yield from leaves(value, here)


def pattern(path):
    """A path without its indexes."""
    return ".".join(part for part in path if isinstance(part, str))


def fields_of(*messages):
    """Full names of the fields that are set in the messages, at any depth."""
    found = set()
    for message in messages:
        for field, value in message.ListFields():
            found.add(field.full_name)
            if (
                field.message_type is not None
                and not _is_map(field)
                and field.message_type.full_name not in TIMES
            ):
                found |= fields_of(*(value if field.is_repeated else [value]))
    return found


def all_fields(descriptor, seen=None):
    """Full names of every field of a message type, at any depth."""
    seen = set() if seen is None else seen
    for field in descriptor.fields:
        if field.full_name not in seen:
            seen.add(field.full_name)
            if field.message_type is not None and not field.message_type.full_name.startswith("google."):
                all_fields(field.message_type, seen)
    return {name for name in seen if not name.endswith(("Entry.key", "Entry.value"))}


def changed(message, path):
    """A copy in which one leaf differs."""
    copy = type(message)()
    copy.CopyFrom(message)
    owner = copy
    for part in path[:-1]:
        owner = owner[part] if isinstance(part, int) else getattr(owner, part)
    field = owner.DESCRIPTOR.fields_by_name[path[-1]]
    value = getattr(owner, field.name)
    if _is_map(field):
        value["key"] += "x"
    elif field.is_repeated:
        if field.message_type is not None:
            value[0].seconds += 60
        else:
            value[0] = _other(field, value[0])
    elif field.message_type is not None:
        value.seconds += 60
    else:
        setattr(owner, field.name, _other(field, value))
    return copy


def plain(value):
    """An SDK value in a form that can be compared: arrays, errors and dataclasses included."""
    if isinstance(value, np.ndarray):
        return ("array", value.shape, value.tolist())
    if isinstance(value, Exception):
        return (type(value).__name__, {name: plain(item) for name, item in vars(value).items()}, value.args)
    if dataclasses.is_dataclass(value):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return (type(value).__name__, fields)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def random(kind, *, required=()):
    """A strategy of messages; fields of `required` types ("Bar") are always set."""
    return st.deferred(lambda: _fields(kind.DESCRIPTOR, required)).map(lambda values: _built(kind, values))


def _fields(descriptor, required):
    always = descriptor.name in required
    strategies = {}
    for field in descriptor.fields:
        strategy = _strategy(field, required)
        if field.has_presence and not always and field.containing_oneof is not None:
            strategy = st.none() | strategy
        strategies[field.name] = strategy
    return st.fixed_dictionaries(strategies)


def _built(kind, values):
    message = kind()
    taken = set()
    for field in kind.DESCRIPTOR.fields:
        value, oneof = values[field.name], field.containing_oneof
        if value is None or (oneof is not None and oneof.name in taken):
            continue
        if oneof is not None:
            taken.add(oneof.name)
        if field.is_repeated:
            getattr(message, field.name).extend(value)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def _strategy(field, required):
    one = _one(field, required)
    return st.lists(one, max_size=3) if field.is_repeated else one


def _one(field, required):
    if field.message_type is not None:
        name = field.message_type.full_name
        if name == "google.protobuf.Timestamp":
            moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
            return moments.map(_timestamp)
        return random(message_factory.GetMessageClass(field.message_type), required=required)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values if value.number])
    if field.cpp_type in FLOATS:
        return st.floats(allow_nan=False, allow_infinity=False, width=64)
    return {
        Field.CPPTYPE_BOOL: st.booleans(),
        Field.CPPTYPE_STRING: st.text(max_size=8),
        Field.CPPTYPE_INT32: st.integers(0, 2**31 - 1),
        Field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        Field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    }[field.cpp_type]


def _timestamp(moment):
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _is_map(field):
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _items(field):
    if field.message_type is None:
        return [_scalar(field, number) for number in (1, 2)]
    if field.message_type.full_name in TIMES:
        return [Timestamp(seconds=60), Timestamp(seconds=120)]
    items = variants(message_factory.GetMessageClass(field.message_type))
    return items if len(items) > 1 else [items[0], _different(items[0])]


def _different(message):
    for path in list(leaves(message)):
        if len(path) == 1:
            message = changed(message, path)
    return message


def _submessage(field):
    name = field.message_type.full_name
    if name == "google.protobuf.Timestamp":
        return Timestamp(seconds=1_700_000_000 + field.number, nanos=1000 * field.number)
    if name == "google.protobuf.Duration":
        return Duration(seconds=field.number, nanos=1000)
    return full(message_factory.GetMessageClass(field.message_type))


def _scalar(field, number):
    if field.enum_type is not None:
        values = [value.number for value in field.enum_type.values]
        return values[min(number, len(values) - 1)]
    value = 10 * field.number + number
    if field.type == Field.TYPE_BYTES:
        return struct.pack("<f", value)
    return {
        Field.CPPTYPE_BOOL: True,
        Field.CPPTYPE_STRING: f"{field.name} {value}",
        Field.CPPTYPE_DOUBLE: value + 0.25,
        Field.CPPTYPE_FLOAT: value + 0.25,
    }.get(field.cpp_type, value)


def _other(field, value):
    if field.enum_type is not None:
        numbers = [item.number for item in field.enum_type.values if item.number]
        return numbers[(numbers.index(value) + 1) % len(numbers)] if len(numbers) > 1 else 0
    if field.cpp_type == Field.CPPTYPE_BOOL:
        return not value
    if field.type == Field.TYPE_BYTES:
        return value + struct.pack("<f", 1.0)
    return value + "x" if field.cpp_type == Field.CPPTYPE_STRING else value + 1
