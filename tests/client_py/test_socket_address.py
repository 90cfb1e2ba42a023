"""Sockets of this machine: the one that is named is connected to, whatever characters its name has."""

import socket
import threading

import pytest
from glasstape import AsyncClient, Client, InvalidRequestError, UnavailableError
from glasstape.address import MAX_SOCKET_BYTES, Address, Endpoint
from glasstape.testing import FakeServer

NAMES = [
    "plain", "a b", "a%20c", "a%", "é", "서버", "a?b", "a#b", "a:b", "a;b=c", "a&b", "a+b", "-x", "~x", "a'b", 'a"b',
    "a\\b", "[a]", "a@b", "*",
]  # fmt: skip


class Relay:
    """Passes the connections of a socket on to a server."""

    def __init__(self, path, address):
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(self._target)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths of sockets are short
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
async def test_the_socket_that_is_named_is_connected_to(folder, name):
    with FakeServer() as server:
        relay = Relay(name, server.address)
        for form in (
            f"unix:{name}",
            f"unix:{folder / name}",
            f"unix://{folder / name}",
            f"unix:///{folder / name}",
        ):
            if len(form) > MAX_SOCKET_BYTES:
                continue
            with Client(form, timeout=5) as client:
                assert client.model().ref.name == "fake"
            async with AsyncClient(form, timeout=5) as other:
                assert (await other.model()).ref.name == "fake"
        relay.close()


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%00b", "a%2Fb", "a;b"])
def test_no_other_socket_is_connected_to(folder, name):
    with FakeServer() as server:
        relay = Relay("a", server.address)
        with Client(f"unix:{name}", timeout=1) as client, pytest.raises(UnavailableError):
            client.model()
        relay.close()
        assert not server.calls


def test_the_longest_path_is_connected_to(folder):
    name = "x" * MAX_SOCKET_BYTES
    with FakeServer() as server:
        relay = Relay(name, server.address)
        with Client(f"unix:{name}", timeout=5) as client:
            assert client.model().ref.name == "fake"
        relay.close()


REFUSED = [
    "unix:a\0b", "unix:\0", "unix:a,b", "unix:a,unix:b", "unix:" + "x" * 108, "unix:" + "é" * 54, "unix:\ud800",
    "unix-abstract:a\0b", "unix-abstract:" + "x" * 108, "unix:a\tb", "unix:a\u200bb", "unix:", "unix:///",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_a_path_that_no_socket_can_have_is_refused(text):
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidRequestError, match="address: must "):
            kind(text)


@pytest.mark.parametrize(
    "address",
    [
        Address((), "unix:/a\0b"), Address((), "unix:/" + "x" * 200), Address((), ""), Address((), "http://a:1"),
        Address((Endpoint("a b", 1),)), Address((Endpoint("a", 0),)), Address((Endpoint("a", 1), Endpoint("b", 2))),
    ],
    ids=repr,
)  # fmt: skip
def test_an_address_that_was_not_parsed_is_checked(address):
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidRequestError, match=r"address: .*must "):
            kind(address)
