"""A request that is recognized has the fields that a parser finds in it."""

import itertools

import numpy as np
import pytest
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.rpc.convert.requests import explain_request_from, predict_request_from
from glasstape_server.rpc.handlers import parsed
from glasstape_server.rpc.ready_requests import KNOWN_PER_SIZE, MAX_KNOWN_BYTES, RequestReader
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = {pb.PredictRequest: predict_request_from, pb.ExplainRequest: explain_request_from}


def parse_with(kind):
    def parse(payload):
        message = parsed(kind, payload)
        has_windows = message.input.WhichOneof("source") == "windows"
        return KINDS[kind](message) if has_windows else message

    return parse


def outcome(function, payload):
    """What a function returns, or the text of its error."""
    try:
        read = function(payload)
    except InvalidArgument as error:
        return str(error)
    if isinstance(read, tuple):
        ready, data = read
        return ready.with_data(data)
    return read


byte_strings = st.binary(max_size=12)
windows = st.builds(
    pb.Windows,
    count=st.integers(0, 3),
    data=byte_strings,
    shape=st.none() | st.builds(pb.Heatmap.Shape, time=st.integers(0, 2), features=st.integers(0, 2)),
)
inputs = st.builds(pb.PredictionInput, windows=windows) | st.builds(
    pb.PredictionInput, symbols=st.builds(pb.Symbols, symbols=st.lists(st.text(max_size=2)))
)
messages = {
    pb.PredictRequest: st.builds(pb.PredictRequest, input=inputs, model=st.sampled_from(["", "a", "b"])),
    pb.ExplainRequest: st.builds(
        pb.ExplainRequest,
        input=inputs,
        model=st.sampled_from(["", "a"]),
        method=st.integers(0, 17),
        samples=st.integers(0, 3),
        baseline_windows=st.none() | windows,
    ),
}


@st.composite
def payloads(draw, kind):
    """Encoded messages, one behind the other (which merges them), with bytes changed."""
    parts = draw(st.lists(messages[kind], min_size=1, max_size=2))
    payload = bytearray(b"".join(part.SerializeToString() for part in parts))
    for place, byte in draw(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 255)), max_size=2)):
        if place < len(payload):
            payload[place] = byte
    return bytes(payload)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_came_before_a_request_is_read_as_a_parser_reads_it(kind, data):
    parse = parse_with(kind)
    reader = RequestReader(parse)
    first = data.draw(payloads(kind))
    sequence = [first, *data.draw(st.lists(payloads(kind) | variants(first), min_size=1, max_size=8))]
    for payload in sequence:
        assert outcome(reader.read, payload) == outcome(parse, payload)


@st.composite
def variants(draw, payload):
    """Requests of the size of another one, with some of its bytes changed."""
    first = draw(st.integers(0, max(0, len(payload) - 1)))
    size = draw(st.integers(0, len(payload) - first))
    changed = draw(st.binary(min_size=size, max_size=size))
    return payload[:first] + changed + payload[first + size :]


class Counting:
    """Counts what is parsed."""

    def __init__(self):
        self.count = 0

    def __call__(self, payload):
        self.count += 1
        return parse_with(pb.PredictRequest)(payload)


def request(seed, rows=1, model=""):
    data = np.random.default_rng(seed).normal(size=(rows, 6, 8)).astype("<f4").tobytes()
    source = pb.PredictionInput(windows=pb.Windows(count=rows, data=data))
    return pb.PredictRequest(input=source, model=model).SerializeToString()


def test_requests_that_differ_in_their_windows_are_parsed_once():
    counting = Counting()
    reader = RequestReader(counting)
    found = {reader.read(request(seed))[0] for seed in range(20)}
    assert len(found) == 1
    assert counting.count == 2


def test_a_request_of_each_kind_and_size_is_known():
    counting = Counting()
    reader = RequestReader(counting)
    kinds = list(itertools.product((1, 2, 3), ("a", "b", "c")))
    assert len({name for _, name in kinds}) < KNOWN_PER_SIZE
    for _ in range(10):
        for rows, name in kinds:
            ready, data = reader.read(request(1, rows, name))
            assert (ready.request.model, ready.windows.count, len(data)) == (name, rows, 192 * rows)
    assert counting.count == 2 * len(kinds)


def test_large_requests_and_other_sources_are_parsed_each_time():
    counting = Counting()
    reader = RequestReader(counting)
    large = request(1, MAX_KNOWN_BYTES // 192 + 1)
    other = pb.PredictRequest(input=pb.PredictionInput(symbols=pb.Symbols(symbols=["A"]))).SerializeToString()
    for _ in range(3):
        ready, data = reader.read(large)
        assert ready.with_data(data) == parse_with(pb.PredictRequest)(large)
        assert isinstance(reader.read(other), Message)
    assert counting.count == 6


def test_windows_that_a_later_field_replaces_are_not_taken_for_the_right_ones():
    one, other = request(1), request(2)
    reader = RequestReader(parse_with(pb.PredictRequest))
    for payload in (one + one, one + other, other + one, one + one):
        assert outcome(reader.read, payload) == parse_with(pb.PredictRequest)(payload)
