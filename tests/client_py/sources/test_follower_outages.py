"""A follower without a usable server says so: once per outage, and at its end, or it ends."""

import asyncio
import datetime
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import grpc
import pytest
import trustme
from glasstape import AsyncClient, Tls, UnavailableError
from glasstape.sources import follower as module
from glasstape.sources.follower import Follower, FollowOptions
from glasstape.testing import FakeServer
from log_lines import logged
from scripted_source import START, ScriptedSource, minute_bar
from simulated_time import SimulatedTime


@pytest.fixture
def lines():
    with logged() as found:
        yield found


def follower_of(client):
    time = SimulatedTime(START + datetime.timedelta(minutes=200), 300)
    source = ScriptedSource(time, *(minute_bar("A", minute) for minute in range(1, 201)))
    return Follower(source, client, FollowOptions(symbols=["A"], interval="1m", since=START), time)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # polls a log
            await asyncio.sleep(0.01)


def credentials(certificate, clients=None):
    pair = (certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes())
    return grpc.ssl_server_credentials([pair], clients and clients.cert_pem.bytes(), clients is not None)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        ("plaintext to TLS", "TLS_REQUIRED"),
        ("TLS to plaintext", "TLS_NOT_SERVED"),
        ("untrusted", "CERTIFICATE_REJECTED"),
        ("expired", "CERTIFICATE_REJECTED"),
        ("other name", "CERTIFICATE_REJECTED"),
    ],
)
async def test_causes_that_last_end_it(world, reason, authority):
    year = datetime.timedelta(days=365)
    past = datetime.datetime.now(datetime.UTC) - year
    served = {
        "expired": lambda: authority.issue_cert("localhost", not_before=past - year, not_after=past),
        "other name": lambda: authority.issue_cert("elsewhere.example"),
    }.get(world, lambda: authority.issue_cert("localhost"))
    trusted = trustme.CA() if world == "untrusted" else authority
    tls = None if world == "plaintext to TLS" else Tls(root_certificates=trusted.cert_pem.bytes())
    secured = None if world == "TLS to plaintext" else credentials(served())
    with FakeServer(credentials=secured) as server:
        async with AsyncClient(server.address.replace("127.0.0.1", "localhost"), tls=tls) as client:
            with pytest.raises(UnavailableError) as caught:
                async with asyncio.timeout(20):
                    await follower_of(client).run()
    assert caught.value.reason == reason


async def test_an_unknown_host_ends_it(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with AsyncClient("no-such-host.invalid:50551") as client:
        with pytest.raises(UnavailableError) as caught:
            async with asyncio.timeout(20):
                await follower_of(client).run()
    assert caught.value.reason == "ADDRESS_UNKNOWN"


@contextmanager
def peer_of(world):
    """The port of a peer that is no server of Glasstape."""
    if world == "closed":
        yield 1
    elif world == "silent":
        with socket.create_server(("127.0.0.1", 0)) as silent:
            yield silent.getsockname()[1]
    else:
        with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as web:
            web.RequestHandlerClass.log_message = lambda *_: None
            thread = threading.Thread(target=web.serve_forever, args=(0.01,))
            thread.start()
            yield web.server_port
            web.shutdown()
            thread.join()


@pytest.mark.parametrize("world", ["closed", "silent", "HTTP"])
async def test_what_may_pass_is_logged_once(world, lines, monkeypatch):
    monkeypatch.setattr(module, "FIRST_ANSWER_S", 0.5)

    with peer_of(world) as port:
        async with AsyncClient(f"127.0.0.1:{port}", timeout=0.5) as client:
            task = asyncio.create_task(follower_of(client).run())
            await until(lambda: lines or task.done())
            await asyncio.sleep(1.0)  # several attempts
            assert not task.done()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert len(lines) == 1
    assert lines[0].startswith(f"127.0.0.1:{port}: bars are not accepted, trying again: ")


async def test_the_end_of_an_outage_is_logged(lines):
    with FakeServer() as server:
        server.fail("PublishBars", UnavailableError("it starts"))
        async with AsyncClient(server.address, timeout=0.5) as client:
            task = asyncio.create_task(follower_of(client).run())
            await until(lambda: lines)
            server.fail("PublishBars", None)
            await until(lambda: server.published)
            server.fail("PublishBars", UnavailableError("it drains"))
            await until(lambda: len(lines) == 3)
            server.fail("PublishBars", None)
            await until(lambda: len(lines) == 4)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [line.removeprefix(f"{server.address}: ").partition(" after")[0] for line in lines] == [
        "bars are not accepted, trying again: it starts", "bars are accepted again",
        "bars are not accepted, trying again: it drains", "bars are accepted again",
    ]  # fmt: skip
