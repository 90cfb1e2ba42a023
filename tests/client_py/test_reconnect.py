"""How a stream connects again: after resets, ends without an error, and connections that do not last."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

import grpc
import pytest
from glasstape import AsyncClient, Client, Disconnected, Method, Opened, UnavailableError, _resume
from glasstape.v1 import signals_pb2


@contextmanager
def serving(signals):
    """The address of a server whose streams are those of a function."""
    handler = grpc.unary_stream_rpc_method_handler(
        signals, signals_pb2.SignalsRequest.FromString, signals_pb2.SignalsResponse.SerializeToString
    )
    server = grpc.server(ThreadPoolExecutor(4))
    service = grpc.method_handlers_generic_handler("glasstape.v1.SignalService", {"Signals": handler})
    server.add_generic_rpc_handlers([service])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture
def canceling():
    """The address of a server that cancels every stream."""
    with serving(lambda request, context: context.abort(grpc.StatusCode.CANCELLED, "canceled")) as address:
        yield address


def test_a_stream_that_its_peer_cancels_is_unavailable_on_both_clients(canceling):
    async def aio():
        async with AsyncClient(canceling) as client:
            return await anext(client.signals().messages())

    with Client(canceling) as client:
        sync = next(client.signals().messages())
    for message in (sync, asyncio.run(aio())):
        assert (message.error.code, message.error.reason) == ("UNAVAILABLE", "")


def test_pauses_grow_until_a_connection_has_lasted(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(_resume.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(_resume.random, "uniform", lambda low, high: high)
    state = _resume.StreamState(signals_pb2.SignalsRequest(), Method.UNSPECIFIED, 1.0)

    def attempt(seconds):
        state.opening()
        if seconds is not None:
            state.accept(signals_pb2.SignalsResponse(heartbeat={}))
            clock[0] += seconds
        return state.failed(UnavailableError("reset")).retry_in.total_seconds()

    assert [attempt(0.05) for _ in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert attempt(None) == 1.0  # without a connection
    assert attempt(2.5) == 0.2
    state.opening()
    state.accept(signals_pb2.SignalsResponse(heartbeat={}))
    assert state.over().retry_in.total_seconds() == 0.4


def test_a_server_that_ends_its_streams_is_not_asked_again_at_once():
    def end(request, context):
        yield signals_pb2.SignalsResponse(opened={"contract_version": "1.0"})

    with serving(end) as address, Client(address) as client:
        kinds = [type(m) for m in islice(client.signals().messages(), 4)]
        assert kinds == [Opened, Disconnected, Opened, Disconnected]
