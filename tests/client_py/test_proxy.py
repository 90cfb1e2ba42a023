"""The proxy that is named is the one that gRPC connects to."""

import socket
import threading

import grpc
import pytest
from glasstape._proxy import ADDRESS_VARIABLE, ENABLED_VARIABLE, EXCEPTIONS, VARIABLES, proxy_for
from glasstape.address import Address

HERE, NAME, PAIR = "0.0.0.0:1", "glass.invalid:50551", "0.0.0.0:1,0.0.0.0:2"
"""Addresses whose direct connections fail at once and that are not loopback."""


class CountingProxy:
    """Counts connections and refuses each request."""

    def __init__(self):
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.location = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                client.recv(4096)
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def proxy(monkeypatch):
    for name in (*VARIABLES, *EXCEPTIONS, ADDRESS_VARIABLE, ENABLED_VARIABLE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    proxy = CountingProxy()
    yield proxy
    proxy.close()


def connects(address, proxy):
    """Whether a channel of gRPC connects to the proxy."""
    options = [("grpc.use_local_subchannel_pool", 1)]  # a pause of an earlier connection does not apply
    with (
        grpc.insecure_channel(Address.parse(address).target, options) as channel,
        pytest.raises(grpc.RpcError),
    ):
        channel.unary_unary("/x/y")(b"", timeout=20)
    return proxy.connections > 0


CASES = [
    (NAME, {"http_proxy": "http://{proxy}"}, True),
    (NAME, {"http_proxy": "http://user:secret@{proxy}/path"}, True),
    (NAME, {"http_proxy": "{proxy}"}, False),
    (NAME, {"http_proxy": "localhost:{port}"}, False),
    (NAME, {"https_proxy": "https://{proxy}"}, False),
    (NAME, {"http_proxy": "socks5://{proxy}"}, False),
    (NAME, {"http_proxy": " http://{proxy}"}, False),
    (NAME, {"http_proxy": "HTTP://{proxy}"}, True),
    (NAME, {"HTTP_PROXY": "http://{proxy}", "HTTPS_PROXY": "http://{proxy}"}, False),
    (NAME, {"grpc_proxy": "", "http_proxy": "http://{proxy}"}, False),
    (NAME, {"https_proxy": "", "http_proxy": "http://{proxy}"}, False),
    (NAME, {"grpc_proxy": "socks5://{proxy}", "http_proxy": "http://{proxy}"}, False),
    (NAME, {"http_proxy": "http://{proxy}", "no_proxy": "other.example, .INVALID"}, False),
    (NAME, {"http_proxy": "http://{proxy}", "no_proxy": "other.example,,"}, True),
    (NAME, {"http_proxy": "http://{proxy}", "no_proxy": " "}, False),
    (NAME, {"http_proxy": "http://{proxy}", "no_proxy": "*"}, True),
    (NAME, {"http_proxy": "http://{proxy}", "no_grpc_proxy": "", "no_proxy": "invalid"}, True),
    (HERE, {"http_proxy": "http://{proxy}"}, True),
    (HERE, {"http_proxy": "http://{proxy}", "no_proxy": "0.0.0.0/8"}, False),
    (HERE, {"http_proxy": "http://{proxy}", "no_proxy": "0.0.0.0"}, False),
    (PAIR, {"http_proxy": "http://{proxy}", "no_proxy": "0.0.0.0"}, True),
    (PAIR, {"http_proxy": "http://{proxy}", "no_proxy": "0.0.0.0/8"}, True),
    (PAIR, {"http_proxy": "http://{proxy}", "no_proxy": "0.0.0.0:2"}, False),
    (HERE, {ADDRESS_VARIABLE: "{proxy}"}, False),
    (HERE, {ADDRESS_VARIABLE: "{proxy}", ENABLED_VARIABLE: "10.0.0.0/8"}, False),
    (HERE, {ADDRESS_VARIABLE: "{proxy}", ENABLED_VARIABLE: "0.0.0.0"}, True),
    (HERE, {ADDRESS_VARIABLE: "localhost:{port}", ENABLED_VARIABLE: "0.0.0.0"}, False),
    (PAIR, {ADDRESS_VARIABLE: "{proxy}", ENABLED_VARIABLE: "10.0.0.0/8,0.0.0.0/8"}, True),
    (HERE, {"http_proxy": "{proxy}", ADDRESS_VARIABLE: "{proxy}", ENABLED_VARIABLE: "0.0.0.0/0"}, True),
]  # fmt: skip


@pytest.mark.parametrize(("address", "environment", "used"), CASES)
def test_a_proxy_is_named_exactly_where_grpc_connects_to_it(address, environment, used, proxy, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(proxy=proxy.location, port=proxy.port))
    assert connects(address, proxy) is used
    found = proxy_for(Address.parse(address))
    assert (found and found.location) == (proxy.location if used else None)
