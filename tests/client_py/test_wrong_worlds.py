"""The README's first program in worlds where it cannot work: an exception or a line in the log."""

import datetime
import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
import trustme
from glasstape import AuthenticationError, Client, PreconditionError, Tls, UnavailableError
from glasstape.testing import FakeServer

README = Path(__file__).parents[2] / "README.md"
PROGRAM = next(block for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
CLIENT = 'Client("localhost:50551")'
TLS = "tls=Tls(root_certificates=open({!r}, 'rb').read())"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Servers, and the file of the authority of those that serve TLS."""
    folder = tmp_path_factory.mktemp("authority")
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    year = datetime.timedelta(days=365)
    now = datetime.datetime.now(datetime.UTC)
    certificates = {
        "tls": authority.issue_cert("localhost"),
        "elsewhere": authority.issue_cert("elsewhere.example"),
        "expired": authority.issue_cert("localhost", not_before=now - 2 * year, not_after=now - year),
    }
    servers = {"plain": FakeServer(), "guarded": FakeServer(token="right"), "old": FakeServer()}
    for name, certificate in certificates.items():
        servers[name] = FakeServer(credentials=credentials(certificate))
    servers["mutual"] = FakeServer(credentials=credentials(certificates["tls"], authority))
    servers["old"].contract_version = "0.9"
    for server in servers.values():
        server.__enter__()
    yield {name: local(server.address) for name, server in servers.items()} | {"folder": folder}
    for server in servers.values():
        server.__exit__(None, None, None)


def credentials(certificate, clients=None):
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    return grpc.ssl_server_credentials([pair], clients and clients.cert_pem.bytes(), clients is not None)


def local(address):
    return address.replace("127.0.0.1", "localhost")


def said(program, **environment):
    """Standard error of a program up to its first line, or to the end of a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRPC_VERBOSITY": "NONE", **environment},
    )
    with process, process.stderr:
        lines = process.stderr.readline()
        while "Traceback" in lines and (line := process.stderr.readline()):
            lines += line
        process.kill()
    return lines


def arguments(world, name):
    """The client of a wrong world, what is said there, and whether it is an exception."""
    ca, stranger = (str(world["folder"] / file) for file in ("ca.pem", "stranger.pem"))
    secured = TLS.format(ca)
    return {
        "no server": ('"localhost:1"', "Connection refused", False),
        "unknown host": ('"no-such-host.invalid:50551"', "no-such-host.invalid:50551: ", None),
        "plaintext to TLS": (f"{world['tls']!r}", "the server requires TLS: connect with tls", True),
        "TLS to plaintext": (f"{world['plain']!r}, {secured}", "the server is plaintext", True),
        "untrusted": (f"{world['tls']!r}, {TLS.format(stranger)}", "certificate was rejected: unable", True),
        "another name": (f"{world['elsewhere']!r}, {secured}", "for other host names; connect by a name that", True),
        "expired certificate": (f"{world['expired']!r}, {secured}", "has expired; renew it on the server", True),
        "no client certificate": (f"{world['mutual']!r}, {secured}", "requires a client certificate", True),
        "wrong token": (f"{world['guarded']!r}, token='wrong'", "AuthenticationError", True),
        "no token": (f"{world['guarded']!r}", "AuthenticationError", True),
        "old contract": (f"{world['old']!r}", "the server has contract 0.9, this package needs 1.x", True),
        "a proxy": ('"signals.example.com:50551"', "(through the proxy localhost:1 of http_proxy)", False),
        "a token past a proxy": ('"signals.example.com:1", token="s"', "proxy localhost:1 of http_proxy", True),
        "a scheme": ('"http://localhost:50551"', "must be host:port", True),
        "no port": ('"localhost"', "the port is missing", True),
        "IPv6 without brackets": ('"::1:50551"', "IPv6 in brackets", True),
    }[name]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "no server", "unknown host", "plaintext to TLS", "TLS to plaintext", "untrusted", "another name",
        "expired certificate", "no client certificate", "wrong token", "no token", "old contract", "a proxy",
        "a token past a proxy", "a scheme", "no port", "IPv6 without brackets",
    ],
)  # fmt: skip
def test_the_first_program_says_what_is_wrong(world, name):
    client, sentence, raised = arguments(world, name)
    program = PROGRAM.replace(CLIENT, f"Client({client})").replace("import Client", "import Client, Tls")
    assert client in program
    proxies = {"http_proxy": "http://user:hidden@localhost:1"} if "proxy" in name else {}
    text = said(program, **proxies)
    assert sentence in text
    assert "hidden" not in text
    if raised is not None:
        assert ("Traceback" in text) is raised


def test_an_outage_is_logged_once_and_its_end(caplog):
    with FakeServer() as server, Client(server.address) as client:
        stream = client.signals(heartbeat_interval=0.1)
        events = iter(stream)
        seen = []
        with caplog.at_level(logging.WARNING, "glasstape"):
            thread = threading.Thread(target=lambda: seen.extend(events))
            thread.start()
            for _ in range(3):
                time.sleep(0.2)
                server.break_streams()
            end = time.monotonic() + 20
            while len(caplog.messages) < 2 and time.monotonic() < end:
                time.sleep(0.05)
            stream.close()
            thread.join()
    first, second = caplog.messages
    assert first.startswith(f"{server.address}: no connection, trying again: ")
    assert second.startswith(f"{server.address}: connected again after ")


def test_a_handler_of_notices_replaces_the_log(caplog):
    notices = []
    with Client("localhost:1") as client:
        stream = client.signals(on_notice=lambda notice: (notices.append(notice), stream.close()))
        assert list(stream) == []
    assert notices[0].error.code == "UNAVAILABLE"
    assert caplog.messages == []


@pytest.mark.parametrize("call", ["model", "health"])
def test_calls_state_the_cause_that_lasts(world, call):
    with Client(world["tls"]) as client:
        with pytest.raises(UnavailableError, match="requires TLS") as caught:
            client.model()
        assert caught.value.reason == "TLS_REQUIRED"
        assert "the server requires TLS: connect with tls" in client.health().reasons[0]
    with Client(world["old"]) as client, pytest.raises(PreconditionError, match=r"0\.9"):
        next(iter(client.signals()))
    with Client(world["guarded"]) as client, pytest.raises(AuthenticationError):
        getattr(client, call)()
    pem = (world["folder"] / "ca.pem").read_bytes()
    with Client(world["tls"], tls=Tls(root_certificates=pem)) as client:
        assert client.model().ref.name == "fake"
