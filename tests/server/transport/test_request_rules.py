"""The rules of the wire in docs/contract.md, W1-W11: one test each, on both wires."""

import contextlib
import gzip
import re
import socket
from pathlib import Path

import grpc
import pytest
from glasstape import InvalidRequestError
from glasstape.v1 import inference_pb2, inference_pb2_grpc, market_pb2, signals_pb2
from google.rpc import error_details_pb2, status_pb2
from h2.settings import SettingCodes
from http2 import EMPTY_MESSAGE, Http2

PREDICT = "/glasstape.v1.InferenceService/Predict"
INFO = "/glasstape.v1.InferenceService/GetServerInfo"
INFER = "/inference.GRPCInferenceService/ModelInfer"
SIGNALS = "/glasstape.v1.SignalService/Signals"
STREAM_BARS = "/glasstape.v1.MarketService/StreamBars"
KINDS = {PREDICT: "PredictRequest", INFO: "GetServerInfoRequest", SIGNALS: "SignalsRequest"}
"""A method that the native wire serves itself, one that it forwards, and a stream."""
ANY_SIZE = (("grpc.max_send_message_length", -1),)


@pytest.fixture
def channel(market):
    with grpc.insecure_channel(market.address, options=ANY_SIZE) as opened:
        yield opened


def failure(channel, path, payload=b"", **options):
    """Return code, details and reason of a call that must fail."""
    call = channel.unary_stream(path)(payload, timeout=20, **options)
    with pytest.raises(grpc.RpcError):
        list(call)
    return call.code(), call.details(), reason(call.trailing_metadata())


def framed(message):
    """Return a gRPC frame of a compressed message."""
    return b"\1" + len(message).to_bytes(4, "big") + message


def reason(trailing):
    """Return the reason in the status of a failed call; "" where it has none."""
    rich = status_pb2.Status.FromString(dict(trailing).get("grpc-status-details-bin", b""))
    info = error_details_pb2.ErrorInfo()
    return info.reason if rich.details and rich.details[0].Unpack(info) else ""


def test_every_rule_has_a_test():
    page = (Path(__file__).resolve().parents[3] / "docs/contract.md").read_text()
    rules = set(re.findall(r"^- \*\*W(\d+)", page, re.MULTILINE))
    assert rules == {name.split("_")[1][1:] for name in globals() if name.startswith("test_w")}


@pytest.mark.parametrize("path", [PREDICT, INFO, INFER, SIGNALS])
def test_w1_a_message_above_16_mib_is_refused_and_one_above_32_mib_by_the_library(channel, path):
    code, details, name = failure(channel, path, bytes((16 << 20) + 1))
    assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")
    assert details == "a message of 16777217 bytes is larger than 16777216, the most allowed"
    code, details, name = failure(channel, path, bytes((32 << 20) + 1))
    assert (code, name) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
    assert "Received message larger than max (33554433 vs. 33554432)" in details


def test_w2_gzip_is_accepted_everywhere_and_deflate_nowhere(market):
    symbols = [f"SYMBOL{number}" for number in range(300)]
    predict = inference_pb2.PredictRequest(
        input=inference_pb2.PredictionInput(symbols=inference_pb2.Symbols(symbols=symbols))
    )
    bars = market_pb2.ListBarsRequest(symbol="AAA", interval="1d", page_token="x" * 300)
    with grpc.insecure_channel(market.address, compression=grpc.Compression.Gzip) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        assert len(stub.Predict(predict, timeout=20).predictions) == 300
        signals = channel.unary_stream(
            SIGNALS, signals_pb2.SignalsRequest.SerializeToString, signals_pb2.SignalsResponse.FromString
        )
        assert next(signals(signals_pb2.SignalsRequest(symbols=symbols), timeout=20)).HasField("opened")
        batches = [market_pb2.StreamBarsRequest(batch_id=number) for number in (1, 2)]
        streamed = channel.stream_stream(
            STREAM_BARS,
            market_pb2.StreamBarsRequest.SerializeToString,
            market_pb2.StreamBarsResponse.FromString,
        )
        for batch in batches:
            batch.batch.bars.add(symbol="A" * 2000, interval="1d")
        assert [answer.receipt.rejected for answer in streamed(iter(batches), timeout=20)] == [1, 1]
        list_bars = "/glasstape.v1.MarketService/ListBars"
        assert "page_token" in failure(channel, list_bars, bars.SerializeToString())[1]
    with grpc.insecure_channel(market.address, compression=grpc.Compression.Deflate) as channel:
        for path in (PREDICT, INFO, INFER, SIGNALS):
            assert failure(channel, path, bytes(5000))[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", [PREDICT, INFO, SIGNALS])
def test_w2_the_limit_of_a_message_holds_after_inflating_it(market, path):
    options = {"compression": grpc.Compression.Gzip, "options": ANY_SIZE}
    with grpc.insecure_channel(market.address, **options) as channel:
        code, _, name = failure(channel, path, bytes((16 << 20) + 1))
        assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE")
    assert market.client.server_info().limits.max_message_bytes == 16 << 20


@pytest.mark.parametrize("path", [PREDICT, INFO, INFER, SIGNALS, STREAM_BARS])
def test_w2_damaged_gzip_is_internal(market, path):
    good = gzip.compress(bytes(range(100)))
    cut = [good[:length] for length in (2, 9, 11, len(good) - 9, len(good) - 1)]
    with Http2(market.address) as connection:
        for damaged in (*cut, good[:12] + b"\xff" + good[13:], good[:-6] + b"\0\0" + good[-4:]):
            answer = connection.call(path, framed(damaged), (("grpc-encoding", "gzip"),))
            assert answer.headers["grpc-status"] == "13"
            assert answer.headers["grpc-message"].replace("%20", " ").startswith("Error decompressing: ")
            assert "grpc-status-details-bin" not in answer.headers


@pytest.mark.parametrize("path", [PREDICT, INFO, INFER, SIGNALS])
def test_w2_a_message_above_32_mib_after_inflating_is_refused_as_one_that_was_sent_so(market, path):
    options = {"compression": grpc.Compression.Gzip, "options": ANY_SIZE}
    with grpc.insecure_channel(market.address, **options) as channel:
        code, details, name = failure(channel, path, bytes((32 << 20) + 1))
        assert (code, name) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "")
        assert "Received message larger than max" in details


@pytest.mark.parametrize("path", [PREDICT, INFO, INFER, SIGNALS])
@pytest.mark.parametrize("name", ["zstd", "snappy", "br", "GZIP", ""])
def test_w2_an_unknown_compression_is_not_retried(market, path, name):
    native = "native" in market.client.server_info().wires
    with Http2(market.address) as connection:
        answer = connection.call(path, headers=(("grpc-encoding", name),))
        assert (answer.reset, answer.headers.get("grpc-status")) == (
            (False, "12") if native else (True, None)
        )
        assert connection.call(INFO).headers["grpc-status"] == "0"


@pytest.mark.parametrize("path", list(KINDS))
def test_w3_metadata_above_8_kib_is_refused(channel, path):
    agent = 120  # about what the library's own user-agent takes
    fits = [("x-pad", "y" * (8192 - agent - 64 - 5))]
    call = channel.unary_stream(path)(b"\xff", timeout=20, metadata=fits)
    with pytest.raises(grpc.RpcError, match="must be an encoded"):
        list(call)
    for size in (8192, 20_000, 60_000):
        code, details, name = failure(channel, path, metadata=[("x-pad", "y" * size)])
        assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "METADATA_TOO_LARGE")
        assert "at most 8192" in details


def test_w4_metadata_of_any_text_and_any_bytes_is_accepted(market, channel):
    every = bytes(range(256))
    stub = inference_pb2_grpc.InferenceServiceStub(channel)
    request = inference_pb2.GetServerInfoRequest()
    assert stub.GetServerInfo(request, metadata=[("x-any-bin", every)], timeout=20).wires
    one = inference_pb2.PredictRequest()
    one.input.symbols.symbols.append("AAA")
    assert stub.Predict(one, metadata=[("x-any-bin", every)], timeout=20).predictions
    with Http2(market.address) as connection:
        for path in (PREDICT, INFO):
            plain = connection.call(path).headers["grpc-status"]
            for value in ("삼성".encode(), b"caf\xe9", b""):
                for key in ("x-text", "x-request-id", "authorization"):
                    assert connection.call(path, headers=((key, value),)).headers["grpc-status"] == plain


@pytest.mark.parametrize(
    "path",
    [
        "/glasstape.v1.InferenceService/predict",
        "/glasstape.v1.InferenceService/Nope",
        "/nope.Nope/Predict",
        "/x",
    ],
)
def test_w5_an_unknown_method_is_unimplemented(channel, path):
    assert failure(channel, path) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!", "")


@pytest.mark.parametrize("path", [PREDICT, INFO])
def test_w6_the_content_type_of_a_request_is_ignored(market, path):
    with Http2(market.address) as connection:
        expected = connection.call(path)
        assert expected.headers["content-type"] == "application/grpc"
        for content_type in ("application/grpc+proto", "application/json", "text/html", None):
            answer = connection.call(path, content_type=content_type)
            assert answer == expected


def test_w7_pings_are_answered_however_many(market):
    with Http2(market.address) as connection:
        assert connection.ping(100) == 100
        assert connection.call(INFO).headers["grpc-status"] == "0"
        assert connection.goaway is None
        assert connection.settings[SettingCodes.MAX_CONCURRENT_STREAMS] == 1024


@pytest.mark.parametrize("path", list(KINDS))
def test_w8_bytes_that_are_no_request_are_refused_by_name(channel, path):
    code, details, name = failure(channel, path, b"\xff\xff\xff")
    assert (code, name) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    expected = f"request: must be an encoded glasstape.v1.{KINDS[path]}, is 3 bytes that are not"
    assert details == expected


@pytest.mark.parametrize("path", [PREDICT, INFO, SIGNALS])
@pytest.mark.parametrize("sent", [b"", EMPTY_MESSAGE[:2], b"\0\0\0\0\5ab"], ids=["none", "half", "short"])
def test_w9_a_call_without_a_whole_message_is_internal(market, path, sent):
    with Http2(market.address) as connection:
        answer = connection.call(path, sent)
        assert answer.headers["grpc-status"] == "13"
        assert answer.headers["grpc-message"].replace("%20", " ") in (
            "Missing request message.",
            "Unexpected EOF decoding stream.",
        )
        assert "grpc-status-details-bin" not in answer.headers
        assert connection.call(STREAM_BARS, b"").headers["grpc-status"] == "0"


@pytest.mark.parametrize("path", [PREDICT, INFO])
def test_w9_of_several_messages_the_first_is_used(market, path):
    with Http2(market.address) as connection:
        assert connection.call(path, 2 * EMPTY_MESSAGE) == connection.call(path)


@pytest.mark.parametrize("content_type", ["application/json", "application/grpc"])
def test_w10_http_1_is_not_spoken(market, content_type):
    host, _, port = market.address.rpartition(":")
    request = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: 2\r\n\r\n{{}}"
    )
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())
        try:
            while part := connection.recv(4096):
                received += part
        except ConnectionResetError:
            pass  # the rest of the request was not read
    assert received[3] == 4  # a SETTINGS frame
    assert b"HTTP/1" not in received


RESET, ANSWERED, UNKNOWN = "reset", "answered", "2"
BREACHES = {
    "timeout": ({"headers": (("grpc-timeout", "1s"),)}, RESET, ANSWERED),
    "binary": ({"headers": (("x-any-bin", "!!!"),)}, RESET, ANSWERED),
    "te": ({"without": "te"}, UNKNOWN, ANSWERED),
    "authority": ({"without": ":authority"}, UNKNOWN, ANSWERED),
    "method": ({"method": "PUT"}, UNKNOWN, ANSWERED),
    "scheme": ({"without": ":scheme"}, UNKNOWN, RESET),
    "length": ({"headers": (("content-length", "3"),)}, ANSWERED, RESET),
    "connection": ({"headers": (("connection", "close"),)}, ANSWERED, RESET),
    "transfer": ({"headers": (("transfer-encoding", "chunked"),)}, ANSWERED, RESET),
}
"""Requests that break a rule of HTTP/2 or gRPC, and what becomes of them on grpcio and on the native wire."""


@pytest.mark.parametrize("path", [PREDICT, INFO, INFER])
@pytest.mark.parametrize("name", BREACHES)
def test_w11_a_request_that_breaks_a_rule_of_http_2_affects_no_other_call(market, path, name):
    request, grpcio, native = BREACHES[name]
    expected = native if "native" in market.client.server_info().wires else grpcio
    with Http2(market.address) as connection:
        plain = connection.call(path).headers["grpc-status"]
        answer = connection.call(path, **request)
        status = RESET if answer.reset else answer.headers["grpc-status"]
        assert status == (plain if expected == ANSWERED else expected)
        assert connection.call(path).headers["grpc-status"] == plain


@pytest.mark.parametrize("value", [b"a\0", b"a\nb"])
def test_w11_a_control_character_in_a_header_ends_at_most_its_own_connection(market, value):
    with Http2(market.address) as other, Http2(market.address) as connection:
        native = "native" in market.client.server_info().wires
        with pytest.raises((AssertionError, OSError)) if native else contextlib.nullcontext():
            assert connection.call(INFO, headers=(("x-text", value),)).headers["grpc-status"] == "0"
        assert other.call(INFO).headers["grpc-status"] == "0"


def test_the_sdk_raises_what_a_rule_refuses(market):
    with pytest.raises(InvalidRequestError, match="larger than"):
        market.client.predict(symbols=["A" * 1000] * 16_384)
