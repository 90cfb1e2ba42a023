"""Streams that are not what the servers need are refused in one sentence."""

import itertools

import pytest
from brokers import broker_of
from glasstape_server.broker import connection
from glasstape_server.broker.connection import Broker, BrokerAccess, BrokerRefused, BrokerUnavailable
from glasstape_server.broker.streams import Stream, ensure_stream, stream_state

_numbers = itertools.count()


@pytest.fixture
async def broker(nats_server):
    connected = await broker_of(nats_server)
    yield connected
    await connected.close()


@pytest.fixture
def stream():
    return Stream(f"settings-{next(_numbers)}", "c1", replicas=1)


async def test_a_stream_is_created_once(broker, stream):
    for _ in range(2):
        await ensure_stream(broker, stream)
    assert (await stream_state(broker, stream)).last == 0


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"retention": "workqueue"}, "retention is 'workqueue', expected 'limits'"),
        ({"max_age": 3_600_000_000_000}, "max_age is 3600000000000, expected 0"),
        ({"max_bytes": 1_000_000}, "max_bytes is 1000000, expected -1"),
        ({"discard": "old"}, "discard is 'old', expected 'new'"),
        ({"storage": "memory"}, "storage is 'memory', expected 'file'"),
        ({"allow_atomic": False}, "allow_atomic is None, expected True"),
        ({"subjects": ["else"]}, "subjects is \\['else'\\]"),
        ({"subject_transform": {"src": "", "dest": "a.>"}}, "subject_transform is set, expected none"),
        (
            {"metadata": {"glasstape.cluster": "c2"}},
            "belongs to another cluster \\(c2\\), expected cluster c1",
        ),
        ({"metadata": {}}, "belongs to something else, expected cluster c1"),
    ],
)
async def test_a_stream_with_other_settings_is_refused_and_left_alone(broker, stream, changed, text):
    settings = stream.settings() | changed
    before = (await broker.api(f"STREAM.CREATE.{stream.name}", settings))["config"]
    with pytest.raises(BrokerRefused, match=text):
        await ensure_stream(broker, stream)
    assert (await broker.api(f"STREAM.INFO.{stream.name}"))["config"] == before


async def test_too_few_brokers_are_named(broker):
    with pytest.raises(BrokerRefused, match="replicas > 1 not supported in non-clustered mode"):
        await ensure_stream(broker, Stream("replicated", "c1", replicas=3))


async def test_no_broker(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailable, match=r"no broker at nats://127\.0\.0\.1:1"):
        await Broker(BrokerAccess(("nats://127.0.0.1:1",)), "test").connect()
