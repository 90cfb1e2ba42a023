"""Comments of the contract, read from the descriptors that protoc makes of the .proto files."""

import re
from importlib import resources
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"
NUMBERS = {
    FieldDescriptorProto.TYPE_DOUBLE,
    FieldDescriptorProto.TYPE_FLOAT,
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_UINT32,
    FieldDescriptorProto.TYPE_UINT64,
}
RANGE = re.compile(r"\d ?- ?\d|\b(above|at most|at least) \d|>= |\b[Aa]ny value\b|\binclusive\b")
"""1-512, above 0, at most 10,000, >= open; or words that say that there is no bound."""


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """The fields of every message of the package, each with its own leading comment, by the message's full name."""
    out = tmp_path_factory.mktemp("descriptors") / "image.binpb"
    include = [PROTO, PROTO / "vendor", resources.files("grpc_tools") / "_proto"]
    files = sorted(str(path.relative_to(PROTO)) for path in (PROTO / "glasstape").rglob("*.proto"))
    flags = ["--include_source_info", f"--descriptor_set_out={out}"]
    assert protoc.main(["protoc", *(f"-I{folder}" for folder in include), *flags, *files]) == 0
    found = {}
    for file in FileDescriptorSet.FromString(out.read_bytes()).file:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for number, message in enumerate(file.message_type):
            _collect(found, comments, message, (4, number), f".{file.package}")
    return found


def _collect(found, comments, message, path, parent):
    name = f"{parent}.{message.name}"
    found[name] = [(field, comments.get((*path, 2, n), "")) for n, field in enumerate(message.field)]
    for number, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:  # protoc makes these of map fields
            _collect(found, comments, nested, (*path, 3, number), name)


def _of_requests(messages):
    """The messages that a caller can send."""
    waiting = [name for name in messages if name.endswith("Request")]
    reached = set()
    while waiting:
        name = waiting.pop()
        if name in messages and name not in reached:
            reached.add(name)
            waiting += [field.type_name for field, _ in messages[name]]
    return sorted(reached)


def test_every_number_that_a_caller_sends_states_its_range(messages):
    numbers = [
        (f"{name}.{field.name}", comment)
        for name in _of_requests(messages)
        for field, comment in messages[name]
        if field.type in NUMBERS or field.type_name == ".google.protobuf.Duration"
    ]
    assert len(numbers) >= 20
    assert [name for name, comment in numbers if not RANGE.search(comment)] == []


def test_every_field_has_a_comment_of_its_own(messages):
    bare = [f"{name}.{field.name}" for name in messages for field, comment in messages[name] if not comment]
    assert bare == []
