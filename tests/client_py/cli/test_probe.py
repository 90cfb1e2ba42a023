"""A probe tells a closed port, plaintext, TLS, other protocols and bad certificates apart, with the remedy."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
import trustme
from glasstape._plain import UnixSocket
from glasstape.address import Endpoint
from glasstape.cli import probe as module
from glasstape.cli.probe import place_of, probe
from glasstape.cli.tls_files import TlsFiles
from glasstape.testing import FakeServer


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 1.0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = trustme.CA(organization_name="Desk Authority")
    made.cert_pem.write_to_path(tmp_path_factory.mktemp("ca") / "ca.pem")
    return made


@pytest.fixture
def roots(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


@pytest.fixture
def tls_server():
    """Start a gRPC server with a certificate; return its endpoint."""
    servers = []

    def start(certificate, clients=None):
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        pair = [(certificate.private_key_pem.bytes(), chain)]
        server = grpc.server(ThreadPoolExecutor(1))
        trusted = clients.cert_pem.bytes() if clients else None
        port = server.add_secure_port(
            "127.0.0.1:0", grpc.ssl_server_credentials(pair, trusted, clients is not None)
        )
        server.start()
        servers.append(server)
        return Endpoint("localhost", port)

    yield start
    for server in servers:
        server.stop(0).wait()


def last(endpoint, tls=None):
    """The finding at which the probe ends."""
    *before, end = probe(endpoint, tls)
    assert all(kind == "ok" for kind, _ in before)
    return end


def test_plaintext_is_told_from_tls_both_ways(tls_server, authority, roots):
    with FakeServer() as server:
        plain = place_of(server.address)
        assert last(plain) == ("ok", f"{plain}: speaks plaintext gRPC (HTTP/2)")
        kind, text = last(plain, TlsFiles(roots))
        assert (kind, "speaks plaintext gRPC, not TLS: leave out --tls" in text) == ("problem", True)
    secured = tls_server(authority.issue_cert("localhost"))
    kind, text = last(secured)
    assert (kind, text.partition(": ")[2]) == (
        "problem", "speaks TLS: use --tls, or --root-certificates FILE for an authority of your own",
    )  # fmt: skip
    kind, text = last(secured, TlsFiles(roots))
    assert (kind, "speaks gRPC over TLSv1.3, the certificate is trusted" in text) == ("ok", True)


def test_a_closed_port_and_an_unknown_name_are_named():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    assert "the port is closed; start `glasstape serve`" in last(Endpoint("127.0.0.1", port))[1]
    assert "nothing.invalid: the name is not found" in last(Endpoint("nothing.invalid", 50551))[1]


def test_a_web_server_is_named():
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
        web.RequestHandlerClass.log_message = lambda *_: None
        threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        kind, text = last(Endpoint("127.0.0.1", web.server_port))
        web.shutdown()
    assert kind == "problem"
    assert "not gRPC" in text or "neither gRPC" in text


def test_a_port_that_never_answers_is_named(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kind, text = last(Endpoint("127.0.0.1", silent.getsockname()[1]))
    assert (kind, "answers neither gRPC nor TLS" in text) == ("problem", True)


def test_an_untrusted_certificate_names_who_signed_it(tls_server, authority):
    kind, text = last(tls_server(authority.issue_cert("localhost")), TlsFiles())
    assert kind == "problem"
    assert (
        "the certificate is signed by Desk Authority, which is not trusted here: --root-certificates" in text
    )


def test_a_certificate_of_other_names_names_them(tls_server, authority, roots):
    kind, text = last(tls_server(authority.issue_cert("signals.example", "127.0.0.9")), TlsFiles(roots))
    assert kind == "problem"
    assert "the certificate is for signals.example, 127.0.0.9: use one of these in --server" in text


def test_an_expired_certificate_is_named(tls_server, authority, roots):
    past = datetime.now(UTC) - timedelta(days=1)
    kind, text = last(tls_server(authority.issue_cert("localhost", not_after=past)), TlsFiles(roots))
    assert (kind, "the certificate has expired" in text) == ("problem", True)


def test_a_client_certificate_that_is_required_is_named(tls_server, authority, roots, tmp_path):
    server = tls_server(authority.issue_cert("localhost"), clients=authority)
    kind, text = last(server, TlsFiles(roots))
    assert kind == "problem"
    assert "requires a client certificate" in text
    assert (
        "does not trust the client certificate" in last(server, _files_of(trustme.CA(), roots, tmp_path))[1]
    )
    assert last(server, _files_of(authority, roots, tmp_path))[0] == "ok"


def test_a_socket_of_this_machine_is_probed_as_a_port_is(tmp_path):
    place = UnixSocket(str(tmp_path / "x.sock"))
    assert f"start `glasstape serve --host {place}`" in last(place)[1]
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(place.path)
        assert "the server that made this socket has ended" in last(place)[1]
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(str(place))
    server.start()
    assert last(place) == ("ok", f"{place}: speaks plaintext gRPC (HTTP/2)")
    server.stop(0).wait()


def _files_of(authority, roots, folder):
    """Files of a client with a certificate of an authority."""
    own = authority.issue_cert("desk-3")
    own.private_key_pem.write_to_path(folder / "key.pem")
    own.cert_chain_pems[0].write_to_path(folder / "chain.pem")
    return TlsFiles(roots, folder / "key.pem", folder / "chain.pem")


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("localhost:50551", Endpoint("localhost", 50551)),
        ("[::1]:1", Endpoint("::1", 1)),
        ("dns:///a.example:2", Endpoint("a.example", 2)),
        ("unix:/run/glasstape.sock", UnixSocket("/run/glasstape.sock")),
        ("unix-abstract:glasstape", None),
        ("10.0.0.1:1,10.0.0.2:1", None),
        ("::1:50551", None),
        ("localhost", None),
        ("localhost:99999", None),
    ],
)
def test_other_addresses_are_left_to_grpc(address, endpoint):
    assert place_of(address) == endpoint
