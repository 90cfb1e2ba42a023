"""No field of the contract is forgotten: each changes the value that the SDK returns, or the message that it sends."""

import dataclasses

import pytest
from glasstape import GlasstapeError, _calls
from glasstape._convert.health import health_from
from glasstape._resume import StreamState
from glasstape.types.enums import Method
from glasstape.types.market import Bar, Instrument
from glasstape.v1 import inference_pb2, market_pb2, signals_pb2
from google.protobuf import message_factory
from grpc_health.v1 import health_pb2
from messages import all_fields, changed, fields_of, leaves, pattern, plain, variants
from requests_of import FULL_CALLS, call_with

NOT_RETURNED = {
    "glasstape.v1.Confidence.class_index": "the same as `direction`",
    "glasstape.v1.PredictResponse.timing": "not part of a prediction",
    "glasstape.v1.ExplainResponse.timing": "not part of an explanation",
    "glasstape.v1.ListModelsResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListBarsResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListInstrumentsResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListSeriesResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListCorrectionsResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListSignalsResponse.next_page_token": "read by the transport",
    "glasstape.v1.ListSignalsResponse.epoch": "streams return the epoch",
}
NOT_SENT = {
    "glasstape.v1.SignalRefs.epoch": "the current epoch",
    "glasstape.v1.Bar.halted": "set by servers only",
    "glasstape.v1.ListModelsRequest.page_size": "the server's default",
    "glasstape.v1.ListInstrumentsRequest.page_size": "the server's default",
    "glasstape.v1.ListSeriesRequest.page_size": "the server's default",
    "glasstape.v1.ListSignalsRequest.page_size": "the server's default",
    **{
        f"glasstape.v1.{name}.page_token": "set by the transport"
        for name in (
            "ListModelsRequest",
            "ListBarsRequest",
            "ListInstrumentsRequest",
            "ListSignalsRequest",
            "ListSeriesRequest",
            "ListCorrectionsRequest",
        )
    },
}


def accept(response):
    """What a stream returns for a response, and where it stands then."""
    state = StreamState(signals_pb2.SignalsRequest(), Method.GRADIENT)
    message = state.accept(response)
    state.handled()
    return message, state.resume_token, state.through_sequence


def _decoders():
    """By the class of an answer, what converts it."""
    found = {}
    for call in FULL_CALLS.values():
        made = call()
        found[made.response] = made.decode
    del found[health_pb2.HealthCheckResponse]
    return found | {signals_pb2.SignalsResponse: accept}


DECODERS = _decoders()


def legal(message):
    """The message, with values that a server may send: indexes within tables, sizes that fit shapes."""
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for item in value if field.is_repeated else [value]:
            legal(item)
    if "model_index" in message.DESCRIPTOR.fields_by_name:
        message.model_index = 1
    if message.DESCRIPTOR.name == "Heatmap":
        message.shape.time, message.shape.features = 1, 2
    if message.DESCRIPTOR.name == "Problem":
        message.code = 3
    return message


def result(decode, message):
    """The value of a message; if it is refused, the error: either way the change was noticed."""
    try:
        return plain(decode(message))
    except (ValueError, LookupError, GlasstapeError) as error:
        return plain(error)


@pytest.mark.parametrize(
    ("kind", "decode"), DECODERS.items(), ids=[kind.DESCRIPTOR.name for kind in DECODERS]
)
def test_every_field_of_an_answer_changes_its_value(kind, decode):
    noticed, all_patterns = set(), {}
    for message in map(legal, variants(kind)):
        value = plain(decode(message))
        for path in leaves(message):
            owner = message
            for part in path[:-1]:
                owner = owner[part] if isinstance(part, int) else getattr(owner, part)
            all_patterns[pattern(path)] = owner.DESCRIPTOR.fields_by_name[path[-1]].full_name
            if result(decode, changed(message, path)) != value:
                noticed.add(pattern(path))
    ignored = {text for text in all_patterns.keys() - noticed if not _excepted(kind, text)}
    assert not ignored


def _excepted(kind, text):
    """Whether a path passes a field of NOT_RETURNED."""
    descriptor, parts = kind.DESCRIPTOR, text.split(".")
    for part in parts:
        field = descriptor.fields_by_name[part]
        if field.full_name in NOT_RETURNED:
            return True
        descriptor = field.message_type
    return False


def test_the_answers_that_are_tested_hold_every_field_of_every_answer():
    seen = set().union(*(fields_of(*variants(kind)) for kind in DECODERS))
    assert set().union(*(all_fields(kind.DESCRIPTOR) for kind in answers())) - seen == set()
    assert NOT_RETURNED.keys() <= seen


NOT_CALLED = {"StreamBars"}
"""PublishBars sends the same batches; see `_calls.publish_bars`."""


def methods():
    return [
        method
        for file in (inference_pb2, market_pb2, signals_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.name not in NOT_CALLED
    ]


def answers():
    return [message_factory.GetMessageClass(method.output_type) for method in methods()]


def test_every_method_of_the_contract_has_a_call_with_its_types():
    called = {}
    for call in FULL_CALLS.values():
        made = call()
        called[made.path] = (made.request.DESCRIPTOR, made.response.DESCRIPTOR)
    path, request, response = _calls.FOLLOW
    called[path] = (request.DESCRIPTOR, response.DESCRIPTOR)
    health = "/grpc.health.v1.Health/Check"
    assert called.pop(health)[1] is health_pb2.HealthCheckResponse.DESCRIPTOR
    assert called == {
        f"/{method.containing_service.full_name}/{method.name}": (method.input_type, method.output_type)
        for method in methods()
    }


def test_every_field_of_every_request_is_sent():
    sent = set()
    for call in FULL_CALLS.values():
        made = call()
        sent |= fields_of(made.request)
    requested = set().union(*(all_fields(method.input_type) for method in methods()))
    assert requested - sent == NOT_SENT.keys()


@pytest.mark.parametrize("name", FULL_CALLS)
def test_every_argument_of_a_call_changes_its_request(name):
    reference = FULL_CALLS[name]().request
    for argument, other in FULL_CALLS[name].others.items():
        assert call_with(FULL_CALLS[name], argument, other).request != reference, argument


def test_health_returns_status_and_reasons():
    serving = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
    assert health_from(serving, [("glasstape-health-reasons", "disk full"), ("other", "x")]).reasons == (
        "disk full",
    )
    assert health_from(serving, None).serving
    assert not health_from(health_pb2.HealthCheckResponse(), None).serving


def test_the_values_that_are_sent_have_every_field_of_their_messages():
    for value, message in ((Bar, market_pb2.Bar), (Instrument, market_pb2.Instrument)):
        names = {field.name for field in dataclasses.fields(value)}
        assert names == {field.name for field in message.DESCRIPTOR.fields}
