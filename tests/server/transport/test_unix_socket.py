"""A server on a socket of its machine: the same on both wires as on a port of loopback."""

import importlib.util
import socket
from pathlib import Path

import pytest
import trustme
from glasstape import AsyncClient, AuthenticationError, Bar, Client, Opened, Tls, UnavailableError
from glasstape.cli import main
from glasstape_server.access.scopes import Scope
from glasstape_server.access.tokens import TokenFile
from made_up import daily
from running import ServerProcess, refusal
from tls_files import certificate

NATIVE = pytest.mark.skipif(
    importlib.util.find_spec("pygrpc_native") is None,
    reason='pygrpc-native, the extra "fast", is not installed',
)
WIRES = pytest.mark.parametrize("wire", [pytest.param("native", marks=NATIVE), "grpcio"])


@pytest.fixture
def path(tmp_path):
    """A path that URIs and shells read in other ways."""
    folder = tmp_path / "a b%20ü"
    folder.mkdir()
    return folder / "glass#tape?.sock"


@WIRES
async def test_clients_and_commands_use_a_socket_as_they_use_a_port(wire, path, tmp_path, capsys):
    bars: list[Bar] = daily("AAA", 100, 1)
    file = tmp_path / "bars.csv"
    file.write_text("symbol,date,open,high,low,close,volume\nBBB,2026-01-05,1,2,1,2,3\n")
    with ServerProcess(tmp_path / "data", "--wire", wire, "--host", f"unix:{path}") as server:
        assert server.address == f"unix:{path}"
        assert path.stat().st_mode & 0o777 == 0o600
        with Client(server.address) as client:
            assert client.publish_bars(bars, mode="backfill").stored == 100
            assert client.predict(symbols=["AAA"])[0].confidence is not None
            with client.signals() as stream:
                assert isinstance(next(stream.messages()), Opened)
        async with AsyncClient(server.address) as other:
            assert (await other.explain(symbols=["AAA"]))[0].error is None
        at = ["--server", server.address]
        publish = ["publish", str(file), "--time-zone", "UTC", "--close", "16:00", "--date-order", "ymd"]
        assert main([*publish, "--backfill", *at]) == 0
        assert main(["doctor", *at]) == 0
        out = capsys.readouterr().out
        assert f"unix:{path}: speaks plaintext gRPC (HTTP/2)" in out
    assert not path.exists()


@WIRES
def test_the_socket_of_a_killed_server_is_replaced_and_that_of_a_running_one_is_not(wire, path, tmp_path):
    flags = ("--wire", wire, "--host", f"unix:{path}")
    killed = ServerProcess(tmp_path / "data", *flags).start()
    killed.kill()
    assert path.is_socket()
    with ServerProcess(tmp_path / "data", *flags) as server, Client(server.address) as client:
        assert client.ready()
        status, said = refusal(tmp_path / "other", *flags)
        assert status == 1
        assert f"host: cannot listen on unix:{path}: another server listens there; stop it first" in said
        assert client.models()


@WIRES
def test_a_client_waits_for_a_server_that_comes_back_on_its_socket(wire, path, tmp_path):
    flags = ("--wire", wire, "--host", f"unix:{path}")
    with Client(f"unix:{path}", timeout=1) as client:
        with pytest.raises(UnavailableError, match="No such file"):
            client.models()
        with ServerProcess(tmp_path / "data", *flags):
            assert client.models()
        with ServerProcess(tmp_path / "data", *flags):
            assert client.models()


def test_a_path_that_is_no_free_place_for_a_socket_is_refused(tmp_path):
    taken, file, missing = (tmp_path / name for name in ("taken.sock", "file", "none/x.sock"))
    file.write_text("kept")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(taken))
        other.listen()
        for path, rule in (
            (taken, "another program listens there"),
            (file, f"{file} exists and is no socket"),
            (missing, f"the folder {missing.parent} does not exist"),
        ):
            status, said = refusal(tmp_path / "data", "--host", f"unix:{path}")
            assert status == 1
            assert f"host: cannot listen on unix:{path}: " in said
            assert rule in said
    assert file.read_text() == "kept"
    assert not missing.parent.exists()


def test_with_tokens_the_group_may_connect_and_tls_is_not_needed(path, tmp_path):
    tokens = TokenFile(tmp_path / "tokens.json")
    _, token = tokens.create("desk", [Scope.PREDICT])
    flags = ("--tokens", str(tokens.path), "--host", f"unix:{path}")
    with ServerProcess(tmp_path / "data", *flags) as server:
        assert path.stat().st_mode & 0o777 == 0o660
        with Client(server.address, token=token) as client:
            assert client.models()
        with Client(server.address) as client, pytest.raises(AuthenticationError):
            client.models()


def test_tls_works_on_a_socket_and_a_client_without_it_is_told(path, tmp_path):
    authority = trustme.CA()
    key, chain = certificate(authority, tmp_path)
    flags = ("--tls-certificate", str(chain), "--tls-key", str(key), "--host", f"unix:{path}")
    with ServerProcess(tmp_path / "data", *flags) as server:
        with Client(server.address, tls=Tls(root_certificates=authority.cert_pem.bytes())) as client:
            assert client.models()
        with Client(server.address) as client, pytest.raises(UnavailableError, match="requires TLS") as error:
            client.models()
        assert error.value.reason == "TLS_REQUIRED"


def test_an_abstract_socket_is_served_by_grpcio_only(tmp_path):
    name = f"unix-abstract:glasstape-{Path(tmp_path).name}-{id(tmp_path)}"
    with ServerProcess(tmp_path / "data", "--host", name) as server, Client(server.address) as client:
        assert client.models()
    status, said = refusal(tmp_path / "data", "--host", name, "--wire", "native")
    assert (status, "it has no abstract sockets" in said) == (1, True)
