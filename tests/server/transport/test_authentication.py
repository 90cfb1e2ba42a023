"""A server that asks who calls: certificates, tokens, scopes, and what becomes of open streams."""

import json
import threading
import time
import urllib.request

import grpc
import pytest
import trustme
from glasstape import (
    AuthenticationError,
    Client,
    Disconnected,
    GlasstapeError,
    Opened,
    PermissionDeniedError,
    Tls,
    UnavailableError,
)
from glasstape.cli import main
from glasstape_server.access.audit import verify
from glasstape_server.access.scopes import REQUIRED, Scope
from glasstape_server.access.tokens import TokenFile
from glasstape_server.rpc.oip import open_inference_pb2
from glasstape_server.transport.grpcio_server import SERVICES
from google.protobuf import descriptor_pool
from running import ServerProcess
from tls_files import certificate


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def guarded(authority, tmp_path_factory):
    """A server with TLS and tokens; its folder, and its token of each scope."""
    folder = tmp_path_factory.mktemp("guarded")
    key, chain = certificate(authority, folder)
    tokens = TokenFile(folder / "tokens.json")
    by_scope = {scope: tokens.create(scope, [scope])[1] for scope in Scope}
    flags = ["--tls-certificate", str(chain), "--tls-key", str(key), "--tokens", str(tokens.path)]
    flags += ["--host", "127.0.0.1", "--quota-streams", "3", "--metrics-port", "0"]
    with ServerProcess(folder / "data", *flags) as server:
        yield server, folder, by_scope, tokens


def _audited(folder):
    """Rows of the audit log."""
    lines = (folder / "data" / "audit.log").read_text().splitlines()
    return [json.loads(line.partition(" ")[2]) for line in lines]


@pytest.fixture
def tls(authority):
    return Tls(root_certificates=authority.cert_pem.bytes())


@pytest.fixture
def client(guarded, tls):
    """Makes clients of the guarded server."""
    made = []

    def make(scope=None, token=None):
        server, _, by_scope, _ = guarded
        made.append(Client(server.address, tls=tls, token=token or (by_scope[scope] if scope else None)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_every_method_of_every_service_has_a_scope():
    found = set()
    for name in (*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"):
        service = descriptor_pool.Default().FindServiceByName(name)
        found |= {f"/{name}/{method.name}" for method in service.methods}
    assert open_inference_pb2.DESCRIPTOR.package == "inference"
    assert found <= set(REQUIRED)


def test_nobody_gets_in_without_a_token_and_health_answers_everybody(client):
    nobody = client()
    assert nobody.ready()
    for call in (nobody.models, lambda: nobody.predict(symbols=["AAA"]), lambda: list(nobody.history())):
        with pytest.raises(AuthenticationError, match="a bearer token is required") as error:
            call()
        assert error.value.reason == "TOKEN_MISSING"
    with pytest.raises(AuthenticationError, match="token is unknown"):
        client(token="glt_000000000000_guess").models()
    with pytest.raises(AuthenticationError, match="a bearer token is required"):
        next(iter(nobody.signals().messages()))


def test_a_token_opens_what_its_scopes_say(client):
    assert client("predict").predict(symbols=["AAA"])[0].error is not None  # no such symbol: it was let in
    with pytest.raises(PermissionDeniedError, match="requires the scope predict; signals has signals"):
        client("signals").predict(symbols=["AAA"])
    with pytest.raises(PermissionDeniedError, match="requires the scope publish"):
        client("signals").publish_bars([])
    with pytest.raises(PermissionDeniedError, match="heatmap_method: requires the scope explain"):
        next(iter(client("signals").signals(heatmap_method="gradient").messages()))
    assert client("admin").models()


def test_plaintext_is_not_answered(guarded):
    with Client(guarded[0].address, timeout=2) as plain, pytest.raises(UnavailableError):
        plain.models()


def test_a_token_is_valid_as_soon_as_it_is_created(guarded, client):
    for number in range(5):
        with pytest.raises(AuthenticationError, match="token is unknown"):
            client(token="glt_000000000000_guess").models()
        _, token = guarded[3].create(f"joiner {number}", [Scope.SIGNALS])
        assert isinstance(next(client(token=token).signals().messages()), Opened)
        _, token = guarded[3].create(f"lister {number}", [Scope.PREDICT])
        assert client(token=token).models()


def test_a_stream_ends_when_its_token_is_revoked(guarded, client):
    tokens = guarded[3]
    grant, token = tokens.create("leaver", [Scope.SIGNALS])
    ended = []

    def follow():
        try:
            for _ in client(token=token).signals(heartbeat_interval=0.2).messages():
                pass
        except GlasstapeError as error:
            ended.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    time.sleep(0.5)
    assert not ended
    begun = time.monotonic()
    tokens.revoke(grant.id)
    follower.join(30)
    assert [error.reason for error in ended] == ["TOKEN_REVOKED"]
    assert time.monotonic() - begun < 10
    last = _audited(guarded[1])[-1]
    assert (last["event"], last["who"], last["id"]) == ("ended", "leaver", grant.id)
    assert (last["method"], last["reason"]) == ("/glasstape.v1.SignalService/Signals", "TOKEN_REVOKED")


def test_a_stream_ends_when_its_token_expires(guarded, client):
    _, token = guarded[3].create("guest", [Scope.SIGNALS], expires=time.time() + 5)
    messages = client(token=token).signals(heartbeat_interval=0.2).messages()
    assert isinstance(next(messages), Opened)
    with pytest.raises(AuthenticationError) as ended:
        list(messages)
    assert ended.value.reason == "TOKEN_EXPIRED"
    with pytest.raises(AuthenticationError):
        client(token=token).models()
    last = _audited(guarded[1])[-1]
    assert (last["event"], last["who"], last["reason"]) == ("refused", "guest", "TOKEN_EXPIRED")


def test_a_caller_holds_so_many_streams_and_no_more(client):
    streams = [client("signals").signals() for _ in range(4)]
    messages = [stream.messages() for stream in streams]
    for held in messages[:3]:
        assert isinstance(next(held), Opened)
    refused = next(messages[3])
    assert isinstance(refused, Disconnected)
    assert refused.error.reason == "QUOTA_EXCEEDED"
    assert refused.error.retry_after == 2.0
    streams[0].close()
    messages[0].close()
    assert isinstance(
        next(message for message in messages[3] if not isinstance(message, Disconnected)), Opened
    )
    for stream in streams:
        stream.close()


def test_new_connections_get_a_renewed_certificate_and_old_ones_stay(guarded, authority, client):
    server, folder, by_scope, _ = guarded
    old = client("admin")
    assert old.models()
    other = trustme.CA()
    certificate(other, folder)
    deadline = time.monotonic() + 20
    while True:
        with Client(
            server.address, tls=Tls(root_certificates=other.cert_pem.bytes()), token=by_scope["admin"]
        ) as new:
            if new.ready():
                assert new.models()
                break
        assert time.monotonic() < deadline
    assert old.models()
    certificate(authority, folder)


def test_the_end_of_the_certificate_is_in_the_metrics(guarded):
    where = guarded[0].process.stdout.readline().removeprefix("metrics on ").strip()
    with urllib.request.urlopen(f"http://{where}/metrics") as response:
        lines = response.read().decode().splitlines()
    name = "glasstape_tls_certificate_expiry_timestamp_seconds "
    (line,) = (line for line in lines if line.startswith(name))
    assert float(line.split()[1]) > time.time() + 86_400


def test_the_audit_log_knows_who_and_never_what_with(guarded, client, capsys):
    _, folder, by_scope, _ = guarded
    client("explain").models()
    with pytest.raises(AuthenticationError):
        client().models()
    path = folder / "data" / "audit.log"
    assert list(verify(path)) == []
    rows = _audited(folder)
    assert {"admitted", "refused"} <= {row["event"] for row in rows} <= {"admitted", "refused", "ended"}
    assert any(row["method"].endswith("ListModels") and row["who"] == "explain" for row in rows)
    text = path.read_text() + "".join(guarded[0].log)
    assert not any(token.split("_", 2)[2] in text for token in by_scope.values())
    assert main(["doctor", "--offline", "--audit", str(path)]) == 0
    changed = folder / "changed.log"
    changed.write_text(path.read_text().replace('"who": "explain"', '"who": "nobody"', 1))
    assert main(["doctor", "--offline", "--audit", str(changed)]) == 1
    assert f"problem  {changed}: line" in capsys.readouterr().out


def test_the_commands_carry_token_and_certificates_in_files(guarded, authority, tmp_path, capsys):
    server, _, by_scope, _ = guarded
    (tmp_path / "token").write_text(by_scope["admin"] + "\n")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    flags = ["--server", server.address, "--token-file", str(tmp_path / "token")]
    flags += ["--root-certificates", str(tmp_path / "ca.pem")]
    assert main(["models", *flags]) == 0
    assert "sample-conv1d" in capsys.readouterr().out
    assert main(["doctor", *flags]) == 0


def test_mutual_tls_lets_in_who_shows_a_certificate(authority, tmp_path):
    key, chain = certificate(authority, tmp_path)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    TokenFile(tmp_path / "tokens.json").create("bridge", [Scope.ADMIN], certificate="bridge.test")
    flags = ["--tls-certificate", str(chain), "--tls-key", str(key)]
    flags += ["--tokens", str(tmp_path / "tokens.json")]
    own, stranger = authority.issue_cert("bridge.test"), authority.issue_cert("stranger.test")
    with ServerProcess(
        tmp_path / "data", *flags, "--tls-client-authorities", str(tmp_path / "ca.pem")
    ) as server:

        def models(shown):
            tls = Tls(
                root_certificates=authority.cert_pem.bytes(),
                client_key=shown and shown.private_key_pem.bytes(),
                client_certificates=shown and shown.cert_chain_pems[0].bytes(),
            )
            with Client(server.address, tls=tls, timeout=3) as client:
                return client.models()

        assert models(own)
        with pytest.raises(AuthenticationError):
            models(stranger)
        with pytest.raises(UnavailableError):
            models(None)


def test_a_message_with_too_much_metadata_is_refused(guarded, tls):
    with grpc.secure_channel(guarded[0].address, tls.credentials()) as channel:
        call = channel.unary_unary("/glasstape.v1.InferenceService/Predict")
        with pytest.raises(grpc.RpcError, match="at most 8192") as error:
            call(b"", metadata=[("x", "y" * 20_000)], timeout=5)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_caller_without_a_token_has_nothing_inflated(guarded, tls, client):
    bomb, token = bytes(64 << 20), guarded[2]["predict"]
    options = [("grpc.max_send_message_length", -1)]
    with grpc.secure_channel(guarded[0].address, tls.credentials(), options) as channel:
        call = channel.unary_unary("/glasstape.v1.InferenceService/Predict")
        with pytest.raises(grpc.RpcError) as error:
            call(bomb, compression=grpc.Compression.Gzip, timeout=10)
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError, match="more than 33554432") as error:
            call(
                bomb,
                compression=grpc.Compression.Gzip,
                timeout=10,
                metadata=[("authorization", f"Bearer {token}")],
            )
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client("admin").models()


def test_two_authorizations_are_none(guarded, tls):
    both = [("authorization", f"Bearer {guarded[2][scope]}") for scope in ("predict", "admin")]
    with grpc.secure_channel(guarded[0].address, tls.credentials()) as channel:
        call = channel.unary_unary("/glasstape.v1.InferenceService/ListModels")
        with pytest.raises(grpc.RpcError, match="must be sent once, is sent 2 times") as error:
            call(b"", metadata=both, timeout=5)
    assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
