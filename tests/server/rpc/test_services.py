"""Health and reflection."""

import time

import grpc
import pytest
from glasstape import Health
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from running import ServerProcess


@pytest.fixture(scope="module")
def channel(market):
    with grpc.insecure_channel(market.address) as opened:
        yield opened


def _status(channel, service):
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service)).status


def test_health_is_told_for_server_services_and_models(channel):
    for service in ("", "glasstape.v1.MarketService", "inference.GRPCInferenceService", "sample-conv1d"):
        assert _status(channel, service) == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as error:
        _status(channel, "nothing")
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    stub = health_pb2_grpc.HealthStub(channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
    assert [next(w).status for w in watches] == [health_pb2.HealthCheckResponse.SERVING] * 2
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nothing"))
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    for watch in (*watches, unknown):
        watch.cancel()


def test_a_feed_whose_bars_are_old_is_not_healthy_and_says_why(market, channel):
    feed = "glasstape.v1.SignalService"
    deadline = time.monotonic() + 10  # health looks every second
    while market.client.health(feed).serving and time.monotonic() < deadline:
        time.sleep(0.05)
    found = market.client.health(feed)
    assert found == Health(
        serving=False, reasons=("market data is stale: the last two due bars did not arrive",)
    )
    assert _status(channel, feed) == health_pb2.HealthCheckResponse.NOT_SERVING
    assert market.client.health() == Health(serving=True, reasons=found.reasons)  # predictions go on


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_a_name_that_is_none_is_not_kept_in_memory(channel, method):
    call = getattr(health_pb2_grpc.HealthStub(channel), method)
    with pytest.raises(grpc.RpcError) as error:
        list(call(health_pb2.HealthCheckRequest(service="x" * 201)) or ())
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.value.details() == "service: at most 200 characters, has 201"


def test_every_watcher_hears_of_a_change(tmp_path, spawn):
    server = spawn(tmp_path)
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        early, late = (stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(2))
        assert next(early).status == next(late).status == health_pb2.HealthCheckResponse.SERVING
        early.cancel()  # one that leaves takes nothing from the others
        server.process.terminate()
        assert next(late).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert server.stop() == 0, "".join(server.log)


def test_reflection_describes_everything(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert {
        "glasstape.v1.InferenceService",
        "glasstape.v1.MarketService",
        "glasstape.v1.SignalService",
    } <= services
    pool = DescriptorPool(database)
    for service in services:
        assert pool.FindServiceByName(service).methods


def test_production_turns_reflection_off(tmp_path):
    with ServerProcess(tmp_path, "--production") as server, grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
