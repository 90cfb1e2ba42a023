"""Where a bearer token travels: in TLS, or in plaintext on this machine; never to a proxy, by whatever variable."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import glasstape.cli
import grpc
import pytest
import trustme
from glasstape import AsyncClient, Client, InvalidRequestError, Tls
from glasstape.session import Recorder
from glasstape.testing import FakeServer, make_buy
from recording_proxy import RecordingProxy

TOKEN = "canary-5f3a9c-token"
COMMANDS = {
    "bars": ["list"], "doctor": [], "explain": ["A"], "export": ["signals"], "importance": [],
    "instruments": ["list"], "models": [], "predict": ["A"], "publish": ["bars.csv"],
    "record": ["x.session", "--for", "1s"], "track": [], "watch": ["--for", "1s", "--json"],
}  # fmt: skip
CSV = "symbol,interval,close_time,open,high,low,close,volume\nA,1d,2026-01-05T21:00:00Z,1,1,1,1,1\n"


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that every variable names."""
    recording = RecordingProxy()
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{recording.address}")
        monkeypatch.setenv(name.upper(), f"http://{recording.address}")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY", recording.address)
    monkeypatch.setenv("GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", "0.0.0.0/0,127.0.0.0/8")
    yield recording
    recording.close()


@pytest.fixture
def server():
    with FakeServer(token=TOKEN) as fake:
        fake.emit(make_buy("A"))
        yield fake


@pytest.mark.parametrize("others", ["GRPC_ADDRESS_HTTP_PROXY", "grpc_proxy https_proxy http_proxy"])
def test_the_proxy_of_this_test_sees_what_passes_it(server, proxy, monkeypatch, others):
    for name in others.split():
        monkeypatch.delenv(name)
    with grpc.insecure_channel(server.address) as channel:
        call = channel.unary_unary("/glasstape.v1.InferenceService/ListModels")
        call(b"", metadata=[("authorization", f"Bearer {TOKEN}")], timeout=10)
    assert TOKEN.encode() in proxy.seen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "ipv4:127.0.0.1", "dns:///localhost"])
def test_clients_reach_this_machine_past_every_proxy(server, proxy, host, tmp_path):
    address = f"{host}:{server.address.rpartition(':')[2]}"
    with Client(address, token=TOKEN) as client:
        assert client.model().ref.name == "fake"
        assert client.ready()
        assert next(iter(client.signals(start="earliest"))).symbol == "A"

    async def aio():
        async with AsyncClient(address, token=TOKEN) as client:
            await client.model()
            return (await anext(aiter(client.signals(start="earliest")))).symbol

    assert asyncio.run(aio()) == "A"
    Recorder(address, tmp_path / "x.session", token=TOKEN).close()
    assert proxy.connections == 0


def test_every_command_that_calls_a_server_is_tried():
    folder = Path(glasstape.cli.__file__).parent
    calling = {file.stem for file in folder.glob("*.py") if "add_server(" in file.read_text()}
    # `follow` needs a market beside the server; its client is the AsyncClient of the test above.
    assert calling - {"connect", "follow"} == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_reach_this_machine_past_every_proxy(server, proxy, name, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "bars.csv").write_text(CSV)
    files = ["--server", server.address, "--token-file", "token"]
    before = sum(server.calls.values())
    result = subprocess.run(
        [sys.executable, "-m", "glasstape.cli", name, *COMMANDS[name], *files],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "usage:" not in result.stderr
    assert sum(server.calls.values()) > before, result.stderr
    assert proxy.connections == 0


def test_no_client_and_no_command_sends_a_token_in_plaintext_beyond_this_machine(proxy, tmp_path):
    address = "signals.example.com:50551"
    for make in (Client, AsyncClient, lambda *a, **k: Recorder(*a, tmp_path / "x.session", **k)):
        with pytest.raises(
            InvalidRequestError, match=r"token: requires tls beyond loopback.*proxy .* of \w+"
        ):
            make(address, token=TOKEN)
    (tmp_path / "token").write_text(TOKEN)
    result = subprocess.run(
        [sys.executable, "-m", "glasstape.cli", "models", "--server", address, "--token-file", "token"],
        cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1
    assert "token: requires tls" in result.stderr
    assert proxy.connections == 0


def test_in_tls_a_relay_sees_no_byte_of_the_token():
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    with FakeServer(token=TOKEN, credentials=grpc.ssl_server_credentials([pair])) as server:
        relay = RecordingProxy(server.address)
        address = f"localhost:{relay.address.rpartition(':')[2]}"
        with Client(address, token=TOKEN, tls=Tls(root_certificates=authority.cert_pem.bytes())) as client:
            assert client.model().ref.name == "fake"
        relay.close()
    assert relay.seen
    assert TOKEN.encode() not in relay.seen
