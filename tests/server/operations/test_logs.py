import json

import grpc
import pytest
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.transport.grpcio_server import PREDICT


def _predict(address, metadata):
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary(PREDICT)(pb.PredictRequest().SerializeToString(), metadata=metadata)


def test_json_lines_have_the_request_id(tmp_path, spawn):
    server = spawn(tmp_path, "--log-format", "json", "--log-level", "debug", "--wire", "grpcio")
    for request_id in ("order-17", "invalid id: spaces"):
        with pytest.raises(grpc.RpcError):
            _predict(server.address, (("x-request-id", request_id), ("authorization", "Bearer glt_secret_1")))
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    calls = [line for line in lines if PREDICT in line["message"]]
    assert "INVALID_ARGUMENT" in calls[0]["message"]
    assert calls[0]["request"] == "order-17"
    assert len(calls[1]["request"]) == 16  # an invalid id is replaced and not logged
    assert "spaces" not in "".join(server.log)
    assert "glt_secret_1" not in "".join(server.log)


def test_text_is_the_default_format(tmp_path, spawn):
    server = spawn(tmp_path)
    assert server.stop() == 0
    assert any(" INFO glasstape_server.app: ready: model sample-conv1d@1" in line for line in server.log)
