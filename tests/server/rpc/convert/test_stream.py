"""Subscribers share the bytes of a page; what differs between them is never shared."""

import itertools

import pytest
from glasstape.v1 import signals_pb2 as pb
from glasstape_server.domain.signals import Kind, ModelRef
from glasstape_server.rpc.convert.stream import batch_to
from glasstape_server.signals.delivery.record_batch import Page
from glasstape_server.signals.journal.records import Record

MODELS = [ModelRef("a", "1", "d", "f"), ModelRef("b", "1", "e", "f")]


def _page(count):
    records = []
    for sequence in range(1, count + 1):
        payload = pb.Event(sequence=sequence, symbol=f"S{sequence}").SerializeToString()
        model = MODELS[sequence % 2]
        records.append(Record(sequence, bytes(16), Kind.BUY, "S", "1d", model, 0.5, 0, payload, bytes(8)))
    return Page(records)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_messages_state_what_is_their_own(count):
    page = _page(count)
    tokens, sequences, conflated, snapshot = (
        [b"", b"t" * 33, b"u" * 33],
        [0, 7, 1 << 40],
        [0, 3],
        [False, True],
    )
    for stated in [*itertools.product(tokens, sequences, conflated, snapshot)] * 2:
        message = pb.SignalsResponse.FromString(batch_to(stated[0], stated[1], page, *stated[2:]))
        assert (message.resume_token, message.through_sequence) == stated[:2]
        assert (message.batch.conflated_count, message.batch.snapshot) == stated[2:]
        assert [event.sequence for event in message.batch.events] == list(range(1, count + 1))
        named = [message.batch.models[event.model_index].name for event in message.batch.events]
        assert named == [MODELS[number % 2].name for number in range(1, count + 1)]


def test_subscribers_at_one_position_share_one_message():
    page = _page(5)
    assert batch_to(b"t", 5, page, 0, False) is batch_to(b"t", 5, page, 0, False)
