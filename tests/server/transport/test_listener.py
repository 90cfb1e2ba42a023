"""Which wire serves, and what only a wire can get wrong."""

import importlib.util
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from glasstape import Client
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc, signals_pb2, signals_pb2_grpc
from glasstape_server.access.authorizer import Authorizer
from glasstape_server.access.tokens import TokenFile
from glasstape_server.transport.grpcio_server import Access
from glasstape_server.transport.listener import open_server
from running import refusal


def request(kind=pb.PredictRequest, count=1, seed=0, **more):
    data = np.random.default_rng(seed).normal(size=(count, 6, 8)).astype("<f4").tobytes()
    return kind(input=pb.PredictionInput(windows=pb.Windows(count=count, data=data)), **more)


def test_many_calls_at_once_each_get_their_own_answer(market):
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        alone = [stub.Predict(request(seed=seed)).predictions[0].confidence.up for seed in range(40)]
        calls = [stub.Predict.future(request(count=1 + seed % 3, seed=seed)) for seed in range(40)]
        maps = [stub.Explain.future(request(pb.ExplainRequest, 1 + seed % 2, seed)) for seed in range(40)]
        for seed, (call, mapped) in enumerate(zip(calls, maps, strict=True)):
            predictions, results = call.result().predictions, mapped.result().results
            assert len(predictions) == 1 + seed % 3
            assert len(results) == 1 + seed % 2
            if seed % 3 == 0:
                assert predictions[0].confidence.up == pytest.approx(alone[seed], abs=1e-6)
            if seed % 6 == 0:
                stated = results[0].explanation.prediction.confidence
                assert stated.up == pytest.approx(alone[seed], abs=1e-6)


def test_a_bad_row_among_many_calls_spoils_no_other(market):
    bad = request(count=2)
    values = np.frombuffer(bad.input.windows.data, "<f4").copy()
    values[0] = np.nan
    bad.input.windows.data = values.tobytes()
    explain = pb.ExplainRequest(input=bad.input)
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        calls = [stub.Predict.future(item) for item in (request(), bad, request())]
        maps = stub.Explain(explain).results
        answers = [call.result().predictions for call in calls]
    assert [p.WhichOneof("result") for answer in answers for p in answer] == [
        "confidence", "problem", "confidence", "confidence",
    ]  # fmt: skip
    assert "must be finite" in answers[1][0].problem.message
    assert [m.WhichOneof("result") for m in maps] == ["problem", "explanation"]


def test_bytes_that_are_no_request_are_told_so(market):
    with grpc.insecure_channel(market.address) as channel:
        for method in ("InferenceService/Predict", "InferenceService/Explain", "SignalService/Signals"):
            kind = channel.unary_stream if method.endswith("Signals") else channel.unary_unary
            with pytest.raises(grpc.RpcError) as caught:
                list(kind(f"/glasstape.v1.{method}")(b"\xff\xff\xff"))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "must be an encoded glasstape.v1." in caught.value.details()


def test_a_request_like_an_earlier_one_is_read_anew(market):
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        first, second = (stub.Predict(request(seed=seed)).predictions[0].confidence for seed in (1, 2))
        assert first != second
        named = request(seed=1, model="sample-conv1d")
        assert stub.Predict(named).predictions[0].confidence == first
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request(seed=1, model="sample-conv1x"))  # as long as the one before
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def field(number, data):
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def test_requests_in_an_unusual_order_of_fields_are_read_as_what_they_are(market):
    one, other = (request(seed=seed).input.windows.data for seed in (1, 2))
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        raw = channel.unary_unary(
            "/glasstape.v1.InferenceService/Predict", response_deserializer=pb.PredictResponse.FromString
        )
        expected = stub.Predict(request(seed=1)).predictions[0].confidence

        def asked(*windows):
            return raw(field(2, field(1, b"".join(windows)))).predictions[0].confidence

        count, data = b"\x08\x01", field(2, one)
        assert asked(count, data, field(15, one)) == expected  # something unknown behind the windows
        assert asked(count, data, field(15, other)) == expected
        assert asked(data, count) == expected
        shifted = field(2, count * 96)
        assert asked(shifted, count).up != expected.up
        assert asked(data, count) == expected
        with pytest.raises(grpc.RpcError):
            asked(data, b"\x08\x02")


def test_a_deadline_that_has_passed_is_kept_and_the_server_goes_on(market):
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        slow = request(pb.ExplainRequest, 2000, method=pb.Explanation.METHOD_SHAPLEY_FEATURES)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Explain(slow, timeout=0.05)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert len(stub.Predict(request(), timeout=20).predictions) == 1


def test_calls_that_are_cancelled_leave_the_others_alone(market):
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        calls = [stub.Predict.future(request(count=200, seed=seed)) for seed in range(60)]
        for call in calls[::2]:
            call.cancel()
        assert all(len(call.result(timeout=20).predictions) == 200 for call in calls[1::2])


def test_a_stream_that_is_cancelled_ends_at_once(market):
    with grpc.insecure_channel(market.address) as channel:
        stream = signals_pb2_grpc.SignalServiceStub(channel).Signals(signals_pb2.SignalsRequest())
        assert next(stream).WhichOneof("body") == "opened"
        threading.Timer(0.1, stream.cancel).start()
        begun = time.monotonic()
        with pytest.raises(grpc.RpcError):
            list(stream)
        assert time.monotonic() - begun < 5


def test_what_a_killed_server_left_is_swept_and_a_running_one_keeps_its_own(tmp_path, spawn, monkeypatch):
    if importlib.util.find_spec("pygrpc_native") is None:
        pytest.skip('pygrpc-native, the extra "fast", is not installed')
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # sockets need short paths
        monkeypatch.setenv("TMPDIR", name)
        _sweeps(tmp_path, spawn, Path(name))


def _sweeps(tmp_path, spawn, temporary):
    killed, running = (spawn(tmp_path / name, "--wire", "native") for name in ("killed", "running"))
    assert len(list(temporary.iterdir())) == 2
    killed.kill()
    hour_ago = time.time() - 3600
    for folder in temporary.iterdir():
        os.utime(folder, (hour_ago, hour_ago))
    spawn(tmp_path / "next", "--wire", "native")
    assert len(list(temporary.iterdir())) == 2
    with Client(running.address) as client:
        assert client.models()  # goes through the socket in that folder


def test_a_temporary_folder_that_can_hold_no_socket_leaves_the_fast_wire_out(tmp_path, spawn, monkeypatch):
    if importlib.util.find_spec("pygrpc_native") is None:
        pytest.skip('pygrpc-native, the extra "fast", is not installed')
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    server = spawn(tmp_path / "data")
    assert "too long a path for a socket" in "".join(server.log)
    with Client(server.address) as client:
        assert client.models()
    assert list(deep.iterdir()) == []
    status, said = refusal(tmp_path / "other", "--wire", "native")
    assert status == 1
    assert "wire: TMPDIR: " in said


def test_the_fast_wire_is_not_taken_where_it_cannot_do_what_is_asked(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="is native: it has no TLS"):
        open_server(None, "127.0.0.1:0", Access(tls=object()), wire="native", end=ExitStack())
    tokens = TokenFile(tmp_path / "tokens")
    with pytest.raises(ValueError, match="it has no authentication"):
        open_server(None, "127.0.0.1:0", Access(Authorizer(tokens)), wire="native", end=ExitStack())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'glasstape\[fast\]'"):
        open_server(None, "127.0.0.1:0", Access(), wire="native", end=ExitStack())
