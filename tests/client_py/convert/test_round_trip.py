"""What the SDK sends in the server's direction becomes the same message again: no value is lost on the way."""

from collections import Counter

import pytest
from glasstape._convert.events import event_from
from glasstape._convert.inference import confidence_from
from glasstape._convert.market import bar_from, bar_to, instrument_from, instrument_to
from glasstape._convert.models import model_from, reliability_from
from glasstape._convert.outgoing import (
    confidence_to,
    event_to,
    model_to,
    reliability_point_to,
    track_records_to,
)
from glasstape._convert.references import ModelTable, refs_from
from glasstape._convert.signals import track_records_from
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from hypothesis import HealthCheck, example, given, settings
from messages import random

unhurried = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def consistent(message):
    """The message, with class indexes as directions say, unless it names no direction."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                consistent(item)
    if message.DESCRIPTOR.name == "Confidence":
        message.class_index = message.direction - 1
    return message


@unhurried
@given(random(inference_pb2.Confidence).map(consistent))
def test_confidences(message):
    assert confidence_to(confidence_from(message)) == message


@unhurried
@given(random(market_pb2.Instrument))
@example(market_pb2.Instrument(price_decimals=2**32 - 1))
def test_instruments(message):
    assert instrument_to(instrument_from(message)) == message


@unhurried
@given(random(market_pb2.Bar, required=("Bar",)))
def test_bars_except_halted_which_only_servers_set(message):
    sent = bar_to(bar_from(message))
    sent.halted = message.halted
    assert sent == message


@unhurried
@given(random(inference_pb2.ReliabilityPoint))
def test_points_of_reliability(message):
    (point,) = reliability_from([message])
    assert reliability_point_to(point) == message


@unhurried
@given(random(inference_pb2.Model, required=("LiveCalibration", "ShadowRecord", "ModelRef")))
def test_models(message):
    if max(Counter(metric.name for metric in message.metrics).values(), default=1) > 1:
        del message.metrics[1:]
    message.ref.SetInParent()
    assert model_to(model_from(message)) == message


KINDS = ("Signal", "Buy", "Outcome", "Bar", "Confidence")


@pytest.mark.parametrize("kind", ["confidence", "buy", "outcome"])
def test_events(kind):
    body = signals_pb2.Event.DESCRIPTOR.fields_by_name[kind].message_type
    bodies = random(getattr(signals_pb2, body.name), required=KINDS)
    refs = random(inference_pb2.ModelRef)

    @unhurried
    @given(random(signals_pb2.Event, required=()), bodies, refs)
    def check(message, content, ref):
        for moment in ("bar_close_time", "publish_time"):
            getattr(message, moment).SetInParent()
        getattr(message, kind).CopyFrom(content)
        consistent(message)
        message.model_index = 0
        table = ModelTable()
        sent = event_to(event_from(message, refs_from([ref])), message.sequence, table)
        assert sent == message
        assert table.models == [ref]

    check()


@unhurried
@given(random(signals_pb2.GetTrackRecordResponse))
def test_track_records(message):
    """Figures of an empty group, and of no outcomes, are not returned."""
    message.outcomes = max(message.outcomes, 1)
    for record in message.records:
        record.count = max(record.count, 1)
        both = record.HasField("confidence_low") and record.HasField("confidence_high")
        if not both:
            record.ClearField("confidence_low")
            record.ClearField("confidence_high")
    assert track_records_to(track_records_from(message)) == message
