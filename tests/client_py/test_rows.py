"""Events as flat rows, and what tells their kinds apart."""

import dataclasses
from datetime import UTC, datetime

import pytest
from glasstape import (
    ROW_COLUMNS,
    BuyEvent,
    Client,
    Confidence,
    ConfidenceEvent,
    Direction,
    EventKind,
    ModelRef,
    OutcomeEvent,
)
from glasstape._convert.signals import page_from
from glasstape.testing import FakeServer, make_buy, make_confidence_event
from glasstape.v1 import inference_pb2, signals_pb2

CLOSE = datetime(2026, 1, 5, 21, tzinfo=UTC)
UP = Confidence(direction=Direction.UP, down=0.25, flat=0.25, up=0.5, abstained=True, novelty=0.125)
OUTCOME = OutcomeEvent(
    sequence=7,
    symbol="AAA",
    interval="1d",
    bar_close_time=CLOSE,
    publish_time=CLOSE,
    model=ModelRef(name="net", version="3", digest="d" * 64, feature_spec_hash="f" * 64),
    confidence_sequence=5,
    signal_bar_close_time=CLOSE,
    predicted=Direction.UP,
    realized=Direction.DOWN,
    realized_return=-0.5,
    hit=False,
    abstained=True,
    probabilities=UP,
)
EVENTS = {
    EventKind.CONFIDENCE: (ConfidenceEvent, make_confidence_event("AAA", UP)),
    EventKind.BUY: (BuyEvent, make_buy("AAA", UP)),
    EventKind.OUTCOME: (OutcomeEvent, OUTCOME),
}


@pytest.mark.parametrize("kind", EVENTS)
def test_the_kind_is_a_field_of_each_event(kind):
    expected, event = EVENTS[kind]
    assert type(event) is expected
    assert event.kind is kind
    assert dataclasses.asdict(event)["kind"] is kind
    with pytest.raises((TypeError, ValueError), match="kind"):
        dataclasses.replace(event, kind=EventKind.UNSPECIFIED)


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_has_the_same_columns_and_the_values_of_its_signal(kind):
    row = EVENTS[kind][1].row()
    assert tuple(row) == ROW_COLUMNS
    assert row["kind"] == kind.value
    assert [row[name] for name in ("symbol", "direction", "down", "flat", "up", "abstained", "novelty")] == [
        "AAA", "UP", 0.25, 0.25, 0.5, True, 0.125,
    ]  # fmt: skip
    for name in ("bar_close_time", "publish_time"):
        assert row[name].tzinfo is UTC


def test_the_row_of_an_outcome():
    lacking = {"close", "expire_time", "data_state", "missing_bars", "rank_score", "close_rank", "close_size"}
    row = OUTCOME.row()
    assert {name for name, value in row.items() if value is None} == lacking
    assert (row["sequence"], row["confidence_sequence"]) == (7, 5)
    assert (row["realized"], row["realized_return"], row["hit"]) == ("DOWN", -0.5, False)
    assert (row["model"], row["version"], row["digest"]) == ("net", "3", "d" * 64)


def test_the_row_of_a_buy_has_the_signals_bar():
    buy = EVENTS[EventKind.BUY][1]
    row = buy.row()
    assert row["close"] == buy.signal.bar.close
    assert row["expire_time"] == buy.signal.expire_time
    assert row["data_state"] == "live"
    assert row["confidence_sequence"] == buy.confidence_sequence
    assert EVENTS[EventKind.CONFIDENCE][1].row()["confidence_sequence"] is None


def test_an_event_that_was_received_has_a_row():
    with FakeServer() as server, Client(server.address) as client:
        server.emit(make_buy("AAA", UP))
        (event,) = client.history()
        assert event.row() == {**make_buy("AAA", UP).row(), "sequence": event.sequence}


def test_a_ranked_signal_arrives_with_its_rank():
    event = make_confidence_event("AAA", UP)
    signal = dataclasses.replace(event.signal, rank_score=0.0, close_rank=2, close_size=3)
    with FakeServer() as server, Client(server.address) as client:
        server.emit(event)
        server.emit(dataclasses.replace(event, signal=signal))
        plain, ranked = client.history()
    assert (plain.signal.rank_score, plain.signal.close_rank, plain.signal.close_size) == (None, None, None)
    assert ranked.signal == signal
    assert [ranked.row()[name] for name in ("rank_score", "close_rank", "close_size")] == [0.0, 2, 3]


def test_events_of_a_newer_contract_are_left_out():
    known = signals_pb2.Event(sequence=1, outcome=signals_pb2.Outcome(predicted=1, realized=1))
    known.outcome.probabilities.direction = inference_pb2.DIRECTION_DOWN
    page = signals_pb2.ListSignalsResponse(
        models=[inference_pb2.ModelRef(name="m")], events=[signals_pb2.Event(sequence=2), known]
    )
    assert [event.sequence for event in page_from(page)] == [1]
