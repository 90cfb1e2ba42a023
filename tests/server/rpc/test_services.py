"""Health, reflection and the Open Inference Protocol."""

import grpc
import numpy as np
import pytest
from glasstape_server.rpc.oip import open_inference_pb2 as oip
from glasstape_server.rpc.oip import open_inference_pb2_grpc as oip_grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from running import ServerProcess


@pytest.fixture(scope="module")
def channel(market):
    with grpc.insecure_channel(market.address) as opened:
        yield opened


def test_health_is_told_for_server_services_and_models(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "glasstape.v1.SignalService", "inference.GRPCInferenceService", "sample-conv1d"):
        status = stub.Check(health_pb2.HealthCheckRequest(service=service)).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


def test_health_says_not_serving_while_draining(tmp_path, spawn):
    server = spawn(tmp_path)
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        seen = [next(watch).status]
        server.process.terminate()
        seen.append(next(watch).status)
    assert seen == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]
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


def test_the_open_inference_protocol_gives_predicts_probabilities(channel, market):
    stub = oip_grpc.GRPCInferenceServiceStub(channel)
    assert stub.ServerLive(oip.ServerLiveRequest()).live
    assert stub.ServerReady(oip.ServerReadyRequest()).ready
    assert stub.ModelReady(oip.ModelReadyRequest(name="sample-conv1d")).ready
    assert not stub.ModelReady(oip.ModelReadyRequest(name="nope")).ready
    metadata = stub.ModelMetadata(oip.ModelMetadataRequest(name="sample-conv1d"))
    assert list(metadata.inputs[0].shape) == [-1, 6, 8]
    windows = np.random.default_rng(1).normal(size=(4, 6, 8)).astype("<f4")
    expected = [
        (p.confidence.down, p.confidence.flat, p.confidence.up)
        for p in market.client.predict(windows=windows)
    ]
    tensor = oip.ModelInferRequest.InferInputTensor(name="windows", datatype="FP32", shape=[4, 6, 8])
    raw = oip.ModelInferRequest(
        model_name="sample-conv1d", id="x", inputs=[tensor], raw_input_contents=[windows.tobytes()]
    )
    answer = stub.ModelInfer(raw)
    assert answer.id == "x"
    np.testing.assert_array_equal(np.frombuffer(answer.raw_output_contents[0]).reshape(4, 3), expected)
    typed = oip.ModelInferRequest(model_name="sample-conv1d", inputs=[tensor])
    typed.inputs[0].contents.fp32_contents.extend(windows.ravel().tolist())
    np.testing.assert_array_equal(
        np.frombuffer(stub.ModelInfer(typed).raw_output_contents[0]).reshape(4, 3), expected
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "x"}, "inputs"),
        ({"datatype": "FP64"}, "FP32"),
        ({"shape": [1, 8, 6]}, r"\[n, 6, 8\]"),
    ],
)
def test_malformed_tensors_say_why(channel, change, text):
    tensor = oip.ModelInferRequest.InferInputTensor(
        **{"name": "windows", "datatype": "FP32", "shape": [1, 6, 8], **change}
    )
    request = oip.ModelInferRequest(
        model_name="sample-conv1d", inputs=[tensor], raw_input_contents=[bytes(192)]
    )
    with pytest.raises(grpc.RpcError, match=text) as caught:
        oip_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
