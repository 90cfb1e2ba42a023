"""`glasstape doctor`: streams that are refused, certificate files of any encoding, and proxies."""

import json
import socket

import grpc
import pytest
import trustme
from glasstape import OverloadedError, UnavailableError
from glasstape.cli import doctor, main
from glasstape.testing import FakeServer
from recording_proxy import RecordingProxy

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def found(capsys):
    """Run `glasstape doctor`; return its exit status and the sentences of each kind of finding."""

    def run(*arguments):
        status = main(["doctor", "--json", *arguments])
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return status, {
            kind: [row["text"] for row in rows if row["finding"] == kind]
            for kind in ("ok", "warning", "problem")
        }

    return run


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OverloadedError("1 stream at most", reason="QUOTA_EXCEEDED"), "RESOURCE_EXHAUSTED (QUOTA_EXCEEDED)"),
        (UnavailableError("it drains"), "UNAVAILABLE: it drains"),
    ],
)
def test_a_stream_that_is_refused_is_a_problem_although_it_could_be_retried(error, text, found):
    with FakeServer() as server:
        server.fail("Signals", error)
        status, findings = found("--server", server.address)
    assert status == 1
    assert text in findings["problem"][0]


def test_a_stream_without_a_heartbeat_is_a_problem(found, monkeypatch):
    monkeypatch.setattr(doctor, "HEARTBEAT_LIMIT_S", 0.3)
    with FakeServer() as server:
        server.freeze()
        status, findings = found("--server", server.address)
    assert (status, len(findings["problem"])) == (1, 1)
    assert "no heartbeat within 0.3 s" in findings["problem"][0]


@pytest.fixture
def mutual(tmp_path):
    """A server of mutual TLS, and the files of its clients."""
    authority = trustme.CA()
    own, client = authority.issue_cert("localhost"), authority.issue_cert("desk-3")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    pair = (own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())
    credentials = grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), True)
    with FakeServer(credentials=credentials) as server:
        yield server.address.replace("127.0.0.1", "localhost"), tmp_path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_certificate_files_are_read_in_every_encoding_that_commands_accept(encoding, mutual, found):
    address, folder = mutual
    for name in ("ca", "key", "chain"):
        file = folder / f"{name}.pem"
        file.write_text("# Größe\n" + file.read_text(), encoding=encoding)
    options = ("--root-certificates", "ca", "--client-key", "key", "--client-certificate", "chain")
    files = [word if word.startswith("--") else str(folder / f"{word}.pem") for word in options]
    status, findings = found("--server", address, *files)
    assert findings["problem"] == []
    assert status == 0
    assert any("the certificate is trusted" in text for text in findings["ok"])


def test_a_file_that_openssl_cannot_use_is_named_with_its_option(mutual, found):
    address, folder = mutual
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n")
    status, findings = found("--server", address, "--root-certificates", str(folder / "ca.pem"))
    assert status == 1
    assert f"--root-certificates: {folder / 'ca.pem'}: cannot be used" in findings["problem"][0]


def test_a_server_behind_a_proxy_is_checked_through_it(found, monkeypatch):
    proxy = RecordingProxy()
    monkeypatch.setenv("http_proxy", f"http://user:secret@{proxy.address}")
    with FakeServer() as server:
        port = server.address.rpartition(":")[2]
        status, findings = found("--server", f"glass.corp.invalid:{port}")
    proxy.close()
    assert findings["problem"] == []
    assert status == 0
    assert f"connections go through the proxy {proxy.address} of http_proxy" in findings["ok"]
    assert f"glass.corp.invalid:{port}: serving" in findings["ok"]
    assert "secret" not in str(findings)


def test_a_proxy_that_is_down_is_the_problem(found, monkeypatch):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        status, findings = found("--server", "glass.corp.invalid:50551")
    assert status == 1
    assert findings["problem"] == [
        f"proxy 127.0.0.1:{port} of https_proxy: unreachable: Connection refused: check https_proxy"
    ]


@pytest.mark.parametrize(
    ("name", "value", "server"),
    [
        ("http_proxy", "http://p.invalid:3128", "127.0.0.1:1"),
        ("HTTP_PROXY", "http://p.invalid:3128", "glass.corp.invalid:50551"),
        ("http_proxy", "p.invalid:3128", "glass.corp.invalid:50551"),
        ("http_proxy", "socks5://p.invalid:3128", "glass.corp.invalid:50551"),
    ],
)
def test_a_proxy_that_does_not_apply_is_not_mentioned(name, value, server, found, monkeypatch):
    monkeypatch.setenv(name, value)
    status, findings = found("--server", server)
    assert status == 1
    assert "proxy" not in str(findings["problem"]).lower()
