"""The web wire: what browsers and `curl` get is what gRPC clients get, behind the same rules."""

import base64
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from glasstape import Client
from glasstape.v1 import inference_pb2 as pb
from glasstape.v1 import inference_pb2_grpc, signals_pb2
from glasstape_server.access.tokens import TokenFile
from google.rpc import error_details_pb2
from markets import open_market
from running import ServerProcess, refusal
from tls_files import certificate
from web import WebClient, post

PAGE = "https://desk.example.com"


def windows(count=1, seed=0):
    data = np.random.default_rng(seed).normal(size=(count, 6, 8)).astype("<f4").tobytes()
    return pb.PredictionInput(windows=pb.Windows(count=count, data=data))


def url_of(server, scheme="http"):
    assert server.process.stdout is not None
    line = server.process.stdout.readline()
    assert line.startswith(f"web on {scheme}://"), line
    return line.removeprefix("web on ").strip()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A market, the address of its web wire, and that of its metrics."""
    flags = ("--web-port", "0", "--web-origins", PAGE, "--metrics-port", "0")
    with ServerProcess(tmp_path_factory.mktemp("web"), *flags) as server, Client(server.address) as client:
        url = url_of(server)
        metrics = server.process.stdout.readline().removeprefix("metrics on ").strip()
        market = open_market(server, client)
        market.close_bar()
        yield market, url, metrics


@pytest.mark.parametrize("protocol", ["CONNECT", "GRPC_WEB"])
def test_predictions_and_maps_are_those_of_grpc(served, protocol):
    market, url, _ = served
    web = WebClient(url, protocol)
    with grpc.insecure_channel(market.address) as channel:
        stub = inference_pb2_grpc.InferenceServiceStub(channel)
        for name, request in (
            ("Predict", pb.PredictRequest(input=windows(3))),
            ("Explain", pb.ExplainRequest(input=windows(2))),
            ("Explain", pb.ExplainRequest(input=pb.PredictionInput(symbols=pb.Symbols(symbols=["AAA"])))),
            ("GetModel", pb.GetModelRequest()),
        ):
            expected, answer = getattr(stub, name)(request), web.call(name, request)
            for each in (expected, answer):
                if name != "GetModel":
                    each.ClearField("timing")
            assert answer == expected


def test_json_predicts_explains_and_publishes(served):
    market, url, _ = served
    status, answer, _ = post(url, "Predict", {"input": {"symbols": {"symbols": ["AAA"]}}})
    assert status == 200
    (expected,) = market.client.predict(symbols=["AAA"])
    assert answer["predictions"][0]["confidence"]["up"] == pytest.approx(expected.unwrap().up, abs=1e-6)
    _, answer, _ = post(
        url, "Explain", {"input": {"symbols": {"symbols": ["AAA"]}}, "method": "METHOD_GRADIENT"}
    )
    values = answer["results"][0]["explanation"]["heatmap"]["values"]
    (explanation,) = market.client.explain(symbols=["AAA"], method="gradient")
    np.testing.assert_allclose(values, explanation.heatmap.values.ravel(), rtol=1e-5)
    bars = [series[market.published] for series in market.bars.values()]
    rows = [
        {
            "symbol": bar.symbol, "interval": "1d", "closeTime": bar.close_time.isoformat(), "open": bar.open,
            "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume,
        }
        for bar in bars
    ]  # fmt: skip
    status, answer, _ = post(url, "PublishBars", {"bars": rows})
    assert (status, answer["stored"]) == (200, len(bars))
    deadline = time.monotonic() + 10
    while next(market.client.history(symbols=["AAA"], descending=True)).bar_close_time != bars[0].close_time:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    market.published += 1


def test_a_stream_resumes_from_its_token(served):
    market, url, _ = served
    web = WebClient(url)
    every = {"delivery": signals_pb2.SignalsRequest.DELIVERY_EVERY_EVENT}
    request = signals_pb2.SignalsRequest(start=signals_pb2.SignalsRequest.START_EARLIEST, **every)
    first = web.stream("Signals", request)
    seen, token = [], b""
    for message in first:
        seen += [event.sequence for event in message.batch.events]
        token = message.resume_token
        if seen:
            break
    first.close()
    market.close_bar()
    rest = web.stream("Signals", signals_pb2.SignalsRequest(resume_token=token, **every))
    head = max(event.sequence for event in market.client.history())
    for message in rest:
        seen += [event.sequence for event in message.batch.events]
        if seen[-1] >= head:
            break
    rest.close()
    assert seen == list(range(seen[0], head + 1))


def test_a_reader_that_goes_away_ends_its_stream(served):
    _, url, metrics = served

    def open_streams():
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith("glasstape_feed_subscribers"))

    before = open_streams()
    stream = WebClient(url).stream("Signals", signals_pb2.SignalsRequest())
    next(stream)
    assert open_streams() == before + 1
    stream.close()
    deadline = time.monotonic() + 10
    while open_streams() > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("protocol", ["CONNECT", "GRPC_WEB"])
def test_errors_name_field_rule_and_value(served, protocol):
    _, url, _ = served
    request = pb.PredictRequest(input=pb.PredictionInput(windows=pb.Windows(count=2, data=b"1234")))
    with pytest.raises(ConnectError) as caught:
        WebClient(url, protocol).call("Predict", request)
    assert caught.value.code is Code.INVALID_ARGUMENT
    details = {detail.type_name: detail.message_bytes for detail in caught.value.details}
    info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
    assert info.domain == "glasstape"
    (violation,) = error_details_pb2.BadRequest.FromString(details["google.rpc.BadRequest"]).field_violations
    assert violation.field == "input.windows.data"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"model": "no"}, "model: 'no' is not ready"),
        ({"modle": ""}, 'no field named "modle"'),
        (b"{", "must be a glasstape.v1.GetModelRequest in JSON"),
        (b'{"model": "\xff"}', "must be JSON in UTF-8"),
        (b"[" * 100_000, "must be a glasstape.v1.GetModelRequest in JSON"),
        ([], "must be a glasstape.v1.GetModelRequest in JSON"),
    ],
)
def test_json_that_is_no_request_is_refused_with_its_rule(served, body, text):
    status, answer, _ = post(served[1], "GetModel", body)
    assert status in (400, 404)
    assert text in answer["message"]
    (encoded, *_) = (d["value"] for d in answer["details"] if d["type"] == "google.rpc.ErrorInfo")
    info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(encoded + "=="))
    assert info.domain == "glasstape"


def test_calls_past_their_deadline_are_canceled(served):
    request = pb.ExplainRequest(input=windows(2000), method=pb.Explanation.METHOD_OCCLUSION)
    with pytest.raises(ConnectError) as caught:
        WebClient(served[1]).call("Explain", request, timeout_ms=20)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_calls_are_counted(served):
    _, url, metrics = served

    def count():
        with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith("grpc_server_handled_total") and 'grpc_method="GetServerInfo"' in line
        )

    before = count()
    assert post(url, "GetServerInfo", {})[0] == 200
    assert count() == before + 1


def test_pages_of_other_origins_are_refused(served):
    url = served[1]
    own = {"origin": url}
    for headers, allowed in (
        ({}, True), (own, True), ({"origin": PAGE}, True), ({"origin": "https://other.example.com"}, False),
        ({"origin": "null"}, False), ({"origin": "http://other.example", "host": "other.example"}, False),
    ):  # fmt: skip
        status, answer, found = post(url, "GetServerInfo", {}, headers=headers)
        assert (status == 200) == allowed, headers
        shared = found.get("access-control-allow-origin")
        assert shared == (PAGE if headers.get("origin") == PAGE else None)
        if not allowed:
            assert "--web-origins" in answer["message"]
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    status, *_ = post(url, "Predict", {}, headers={"origin": PAGE, **preflight}, method="OPTIONS")
    assert status == 200
    status, *_ = post(
        url, "Predict", {}, headers={"origin": "https://no.example", **preflight}, method="OPTIONS"
    )
    assert status == 403


def test_streams_of_requests_are_not_served(served):
    assert post(served[1], "StreamBars", {})[0] == 404


def test_callers_are_admitted_by_token_over_tls(tmp_path):
    import trustme

    authority = trustme.CA()
    key, chain = certificate(authority, tmp_path)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tokens = TokenFile(tmp_path / "tokens.json")
    token = tokens.create("reader", ["signals"])[1]
    flags = ["--tls-certificate", str(chain), "--tls-key", str(key), "--tokens", str(tokens.path)]
    with ServerProcess(tmp_path / "data", *flags, "--web-port", "0") as server:
        url = url_of(server, "https").replace("127.0.0.1", "localhost")
        ask = {"authority": str(tmp_path / "ca.pem")}
        status, answer, _ = post(url, "GetServerInfo", {}, **ask)
        assert (status, answer["code"]) == (401, "unauthenticated")
        bearer = {"authorization": f"Bearer {token}"}
        assert post(url, "GetServerInfo", {}, headers=bearer, **ask)[0] == 200
        status, answer, _ = post(url, "PublishBars", {}, headers=bearer, **ask)
        assert (status, answer["code"]) == (403, "permission_denied")


def test_a_drain_says_goodbye_to_streams(tmp_path):
    with ServerProcess(tmp_path, "--web-port", "0") as server:
        stream = WebClient(url_of(server)).stream("Signals", signals_pb2.SignalsRequest())
        kinds = [next(stream).WhichOneof("body")]
        reader = threading.Thread(target=lambda: kinds.extend(m.WhichOneof("body") for m in stream))
        reader.start()
        assert server.stop() == 0
        reader.join(10)
    assert kinds[0] == "opened"
    assert "goodbye" in kinds[-1]


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--host", "unix:/tmp/glasstape-x.sock", "--web-port", "0"], "web_port: requires a host with ports"),
        (["--web-port", "70000"], "web_port"),
        (["--web-port", "0", "--web-origins", "desk.example.com"], "web_origins: must be http(s)://HOST"),
        (["--web-port", "0", "--web-origins", "*"], "web_origins: must be http(s)://HOST"),
    ],
)
def test_settings_that_break_a_rule_are_named(tmp_path, flags, text):
    status, said = refusal(tmp_path, *flags)
    assert status != 0
    assert text in said


def test_a_port_that_is_taken_is_named(served, tmp_path):
    port = served[1].rsplit(":", 1)[1]
    status, said = refusal(tmp_path, "--web-port", port)
    assert status == 1
    assert f"web_port: cannot listen on 127.0.0.1:{port}" in said
