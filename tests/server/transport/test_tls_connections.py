"""An operator sees that TLS handshakes fail, although only the core of gRPC sees a handshake."""

import socket
import urllib.request

import pytest
import trustme
from glasstape import Client, Tls, UnavailableError
from glasstape_server.transport.tls_connections import GRACE_S, REPORT_INTERVAL_S, TlsConnections
from running import ServerProcess
from tls_files import certificate


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counted(clock):
    """Counts of 3 connections, of which one sent calls, and a check."""
    connections = TlsConnections(clock)
    connections.check()
    for _ in range(3):
        connections.handshake_began()
    for _ in range(5):
        connections.called("ipv4:10.0.0.1:5")
    connections.check()
    return connections


def test_connections_without_a_call_are_logged_after_the_time_that_a_handshake_may_take(
    counted, clock, caplog
):
    assert (counted.begun, counted.used) == (3, 1)
    clock.time = GRACE_S - 1
    counted.check()
    assert not caplog.records
    clock.time = GRACE_S
    counted.check()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "2 connections sent no call: their handshakes failed" in caplog.text


def test_the_log_has_one_line_in_ten_minutes(counted, clock, caplog):
    for second in range(1, int(REPORT_INTERVAL_S)):
        clock.time = GRACE_S + second
        counted.handshake_began()
        counted.check()
    assert len(caplog.records) == 1
    clock.time += GRACE_S + 1
    counted.check()
    assert len(caplog.records) == 2
    assert f"{REPORT_INTERVAL_S - 1:.0f} connections sent no call" in caplog.records[1].message
    clock.time += 10 * REPORT_INTERVAL_S
    counted.check()
    counted.check()
    assert len(caplog.records) == 2


def test_connections_of_a_socket_cannot_be_distinguished(counted, clock, caplog):
    counted.called("unix:")
    clock.time = GRACE_S
    counted.check()
    assert not caplog.records


def _figures(where):
    with urllib.request.urlopen(f"http://{where}/metrics") as response:
        lines = response.read().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("glasstape_tls_"))
    return [float(values[f"glasstape_tls_{name}_total"]) for name in ("handshakes", "connections")]


def test_failed_handshakes_are_in_the_metrics(tmp_path):
    authority = trustme.CA()
    key, chain = certificate(authority, tmp_path)
    flags = ("--tls-certificate", str(chain), "--tls-key", str(key), "--metrics-port", "0")
    with ServerProcess(tmp_path / "data", *flags) as server:
        where = server.process.stdout.readline().removeprefix("metrics on ").strip()
        assert _figures(where) == [0, 0]
        with Client(server.address, tls=Tls(root_certificates=authority.cert_pem.bytes())) as client:
            assert client.models()
            assert client.models()
        assert _figures(where) == [1, 1]
        with Client(server.address, timeout=2) as plain, pytest.raises(UnavailableError):
            plain.models()
        begun, used = _figures(where)
        assert used == 1
        assert begun > 1
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port))) as probe:
            probe.sendall(b"not TLS")
            while probe.recv(100):
                pass
        assert _figures(where) == [begun + 1, 1]
