"""A batch is decoded as it is read: its events as they would be decoded at once, its columns as those of its events."""

import copy
import dataclasses

import numpy as np
import pytest
from glasstape import DataLossError, EventKind
from glasstape._convert.batches import BatchResponse, StreamResponse, batch_from
from glasstape._convert.events import event_from
from glasstape._convert.references import refs_from
from glasstape.types.signals import columns_of
from glasstape.v1 import inference_pb2 as ipb
from glasstape.v1 import signals_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

MODELS = [ipb.ModelRef(name="a", version="1"), ipb.ModelRef(name="b")]
SYMBOLS = ["A", "BRK.B", "BTC/USDT:USDT", "X" * 64]
NUMBERS = [0.0, -0.0, 0.25, 1e300, -3.5]
SEQUENCES = [1, 127, 128, 1 << 40, (1 << 63) - 1]
TIMES = [0, 1, 1_700_000_000, 253_402_300_799]


def _time(random):
    return Timestamp(seconds=int(random.choice(TIMES)), nanos=int(random.choice([0, 1000, 999_999_999])))


def _confidence(random):
    down, flat, up, novelty = (float(random.choice(NUMBERS)) for _ in range(4))
    return ipb.Confidence(
        direction=int(random.integers(1, 4)), class_index=int(random.integers(3)), down=down, flat=flat, up=up,
        abstained=bool(random.integers(2)), novelty=novelty,
    )  # fmt: skip


def _signal(random):
    signal = pb.Signal(probabilities=_confidence(random), expire_time=_time(random))
    signal.bar.symbol, signal.bar.close = str(random.choice(SYMBOLS)), float(random.choice(NUMBERS))
    signal.bar.close_time.CopyFrom(_time(random))
    if random.integers(2):
        signal.previous_session_close = float(random.choice(NUMBERS))
    return signal


def _event(random):
    event = pb.Event(
        sequence=int(random.choice(SEQUENCES)), symbol=str(random.choice(SYMBOLS)), interval="1d",
        bar_close_time=_time(random), publish_time=_time(random), model_index=int(random.integers(2)),
    )  # fmt: skip
    match random.integers(3):
        case 0:
            event.confidence.CopyFrom(_signal(random))
        case 1:
            event.buy.CopyFrom(
                pb.Buy(confidence_sequence=int(random.choice(SEQUENCES)), signal=_signal(random))
            )
        case _:
            event.outcome.CopyFrom(
                pb.Outcome(
                    predicted=int(random.integers(1, 4)), realized=int(random.integers(1, 4)),
                    signal_bar_close_time=_time(random), hit=bool(random.integers(2)),
                    realized_return=float(random.choice(NUMBERS)), probabilities=_confidence(random),
                )
            )  # fmt: skip
    return event


def _batch(events, **fields):
    return pb.EventBatch(events=events, models=MODELS, **fields).SerializeToString()


def _assert_equal(columns, expected):
    for field in dataclasses.fields(expected):
        value, other = getattr(columns, field.name), getattr(expected, field.name)
        assert value.shape == other.shape
        assert value.dtype.kind == other.dtype.kind
        np.testing.assert_array_equal(value, other, err_msg=field.name)


@pytest.mark.parametrize("count", [0, 1, 5, 300])
@pytest.mark.parametrize("seed", range(4))
def test_columns_are_those_of_the_events(count, seed):
    random = np.random.default_rng(seed)
    batch = batch_from(_batch([_event(random) for _ in range(count)]))
    _assert_equal(batch.columns(), columns_of(batch.events))
    assert len(batch.columns()) == count


@pytest.mark.parametrize(
    "odd",
    [
        pb.Event(sequence=7, symbol="A"),  # of a kind of a newer contract
        pb.Event(sequence=7, symbol="é", confidence=_signal(np.random.default_rng(0))),
    ],
    ids=["kind", "text"],
)
def test_columns_of_odd_events_are_those_of_the_events_too(odd):
    random = np.random.default_rng(1)
    batch = batch_from(_batch([_event(random), odd, _event(random)]))
    _assert_equal(batch.columns(), columns_of(batch.events))


def test_a_field_that_is_sent_twice_counts_as_protobuf_reads_it():
    event = _event(np.random.default_rng(2))
    twice = event.SerializeToString() + pb.Event(symbol="LAST").SerializeToString()
    data = b"\x0a" + bytes([len(twice) & 0x7F | 0x80, len(twice) >> 7]) + twice + _batch([])
    batch = batch_from(data)
    assert batch.columns().symbol.tolist() == ["LAST"] == [e.symbol for e in batch.events]


@pytest.mark.parametrize("index", [2, 1 << 20])
def test_a_model_beyond_the_table_is_an_error_of_both(index):
    event = _event(np.random.default_rng(3))
    event.model_index = index
    for read in (lambda batch: batch.events, lambda batch: batch.columns()):
        with pytest.raises(DataLossError, match="does not allow"):
            read(batch_from(_batch([event])))


@pytest.mark.parametrize("field", ["probabilities", "predicted", "realized"])
def test_an_event_without_a_direction_is_an_error_of_both(field):
    outcome = pb.Outcome(predicted=1, realized=1, probabilities=_confidence(np.random.default_rng(0)))
    outcome.ClearField(field)
    event = pb.Event(sequence=1, symbol="A", outcome=outcome)
    for read in (lambda batch: batch.events, lambda batch: batch.columns()):
        with pytest.raises(DataLossError, match="does not allow"):
            read(batch_from(_batch([event])))


def test_bytes_that_are_no_events_are_an_error_of_both():
    data = b"\x0a\x02\x08\x80" + _batch([])
    for read in (lambda batch: batch.events, lambda batch: batch.columns()):
        with pytest.raises(DataLossError):
            read(batch_from(data))


def test_a_time_that_no_datetime_holds_is_an_error_when_it_is_read():
    event = _event(np.random.default_rng(4))
    event.bar_close_time.seconds = 1 << 60
    (read,) = batch_from(_batch([event])).events
    with pytest.raises(DataLossError, match="bar_close_time"):
        read.bar_close_time  # noqa: B018


def test_an_event_is_a_value_like_any_other():
    random = np.random.default_rng(5)
    for message in (_event(random) for _ in range(12)):
        event, again = (event_from(message, refs_from(MODELS), True) for _ in range(2))
        kind = type(event).__mro__[1]
        plain = kind(**{f.name: getattr(event, f.name) for f in dataclasses.fields(kind) if f.init})
        assert event == again == plain == event
        assert hash(event) == hash(plain)
        assert repr(event) == repr(plain)
        assert event.kind is plain.kind is EventKind(message.WhichOneof("kind"))
        assert copy.deepcopy(event) == copy.copy(event) == event
        assert (
            dataclasses.replace(event, symbol="OTHER") == dataclasses.replace(plain, symbol="OTHER") != event
        )
        assert isinstance(event, kind)
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.symbol = "B"


def test_an_event_that_was_decoded_lets_go_of_its_batch():
    random = np.random.default_rng(7)
    for message in (_event(random) for _ in range(12)):
        event = event_from(message, refs_from(MODELS))
        before = [getattr(event, name) for name in ("sequence", "symbol", "bar_close_time")]
        large = event.probabilities if event.kind is EventKind.OUTCOME else event.signal
        message.Clear()
        assert [getattr(event, name) for name in ("sequence", "symbol", "bar_close_time")] == before
        assert (event.probabilities if event.kind is EventKind.OUTCOME else event.signal) is large


def test_a_batch_stays_encoded_until_it_is_read():
    event = _event(np.random.default_rng(6))
    batch = pb.EventBatch(events=[event], models=MODELS, conflated_count=3, snapshot=True)
    raw = pb.SignalsResponse(resume_token=b"t", through_sequence=9, batch=batch).SerializeToString()
    response = StreamResponse.FromString(raw)
    assert isinstance(response, BatchResponse)
    assert (response.resume_token, response.through_sequence, response.raw) == (b"t", 9, raw)
    read = batch_from(response.batch)
    assert (read.conflated_count, read.snapshot) == (3, True)
    assert read.events == (event_from(event, refs_from(MODELS), True),)
    assert dataclasses.replace(read, snapshot=False).events == read.events
    heartbeat = pb.SignalsResponse(heartbeat=pb.Heartbeat()).SerializeToString()
    assert StreamResponse.FromString(heartbeat) == pb.SignalsResponse(heartbeat=pb.Heartbeat())
