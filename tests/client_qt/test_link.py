"""The link against a scripted server: nothing lost, nothing twice, a reason for every error."""

import threading
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from glasstape import Instrument, PermissionDeniedError
from glasstape.session import read_session, write_session
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence_event
from glasstape_qt import token_store
from glasstape_qt.link import Link
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.preferences import Profile
from glasstape_qt.state.signal_store import SignalStore
from glasstape_qt.worker_pool import THREADS
from stores import DOWN, UP


@pytest.fixture
def server():
    with FakeServer() as fake:
        yield fake


@pytest.fixture
def link(qapp):
    link = Link(SignalStore())
    yield link
    link.close()


def profile(server, **settings):
    return Profile(name="test", address=server.address, **settings)


def threads():
    return [thread.name for thread in threading.enumerate()]


def connected(link):
    return link.store.connection.state is LinkState.CONNECTED


def ended(link):
    return link.store.connection.state is LinkState.ENDED


def test_signals_arrive_through_a_thread_and_models_are_described(server, link, qtbot):
    server.emit(make_confidence_event("A", UP))
    link.open(profile(server))
    qtbot.waitUntil(lambda: "A" in link.store.rows and link.store.rows["A"].model == MODEL, timeout=5000)
    assert "glasstape-reader" in threads()
    assert link.store.active_model == MODEL.ref


def test_the_instrument_of_a_new_symbol_is_requested(server, link, qtbot, monkeypatch):
    monkeypatch.setattr("glasstape_qt.link.DESCRIBE_RETRY_S", 0.05)
    server.instruments["A"] = Instrument(symbol="A", price_decimals=3)
    server.emit(make_confidence_event("A", UP))
    link.open(profile(server))
    qtbot.waitUntil(lambda: "A" in link.store.rows and link.store.rows["A"].decimals() == 3, timeout=5000)
    server.instruments["B"] = Instrument(symbol="B", price_decimals=5, learned=("price_decimals",))
    server.emit(make_confidence_event("B", UP))
    qtbot.waitUntil(lambda: "B" in link.store.rows and link.store.rows["B"].decimals() == 5, timeout=5000)


def test_a_broken_stream_is_resumed_and_repeats_no_buy(server, link, qtbot):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    server.emit(make_buy("A"))
    qtbot.waitUntil(lambda: len(link.store.buys) == 1, timeout=5000)
    states = []
    link.changed.connect(lambda _: states.append(link.store.connection.state))
    server.break_streams()
    server.emit(make_buy("B"))
    qtbot.waitUntil(lambda: len(link.store.buys) == 2, timeout=10_000)
    qtbot.waitUntil(lambda: link.store.connection.resumes == 1, timeout=10_000)
    assert LinkState.WAITING in states
    assert [buy.event.sequence for buy in link.store.buys] == [1, 2]


def test_past_buys_are_listed_after_connecting(server, link, qtbot):
    server.emit(make_buy("PAST"))
    link.open(profile(server))
    qtbot.waitUntil(lambda: len(link.store.buys) == 1, timeout=5000)
    assert next(iter(link.store.buys)).historical


def test_results_arrive_on_the_gui_thread_and_a_newer_request_replaces_a_pending_one(server, link, qtbot):
    link.open(profile(server))
    gate, results, callback_threads = threading.Event(), [], []

    def slow(client):
        gate.wait(5)
        return "slow"

    for number in range(THREADS):
        link.request(f"block{number}", slow, results.append)

    def on_result(result):
        results.append(result)
        callback_threads.append(threading.current_thread())

    for number in range(10):
        link.request("same", lambda client, n=number: n, on_result)
    gate.set()
    qtbot.waitUntil(lambda: len(results) == THREADS + 1, timeout=5000)
    assert sorted(map(str, results)) == ["9", *["slow"] * THREADS]
    assert callback_threads == [threading.main_thread()]


def test_a_failing_request_calls_back_with_its_error(server, link, qtbot):
    link.open(profile(server))
    failures = []
    link.request("bad", lambda client: client.explain(), None, failures.append)
    qtbot.waitUntil(lambda: bool(failures), timeout=5000)
    assert "must be one of windows, bars, symbols, signals" in str(failures[0])


def test_a_refused_connection_has_a_reason_and_a_retry(link, qtbot):
    link.open(Profile(name="x", address="127.0.0.1:1"))
    qtbot.waitUntil(lambda: link.store.connection.state is LinkState.WAITING, timeout=5000)
    assert link.store.connection.disconnect_reason.key == "link.refused"
    assert link.store.connection.retry_in() <= 5


def test_a_rejected_token_ends_the_link_and_the_right_one_opens_it(link, qtbot, memory_keyring):
    token_store.write_token("test", "wrong")
    with FakeServer(token="right") as server:
        link.open(profile(server, token=True))
        qtbot.waitUntil(lambda: ended(link), timeout=5000)
        assert link.store.connection.disconnect_reason.key == "link.token"
        token_store.write_token("test", "right")
        link.store.clear()
        link.open(profile(server, token=True))
        qtbot.waitUntil(lambda: connected(link), timeout=5000)
        link.close()


def test_another_contract_version_ends_the_stream_with_a_reason(server, link, qtbot):
    server.contract_version = "2.0"
    link.open(profile(server))
    qtbot.waitUntil(lambda: ended(link), timeout=5000)
    assert link.store.connection.disconnect_reason.key == "link.contract"
    qtbot.waitUntil(lambda: "glasstape-reader" not in threads(), timeout=5000)


def make_certificate(days):
    """A self-signed certificate for localhost that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(("days", "trusted", "key"), [(1, True, None), (-1, True, "link.certificate_expired"), (1, False, "link.certificate")])  # fmt: skip  # noqa: E501
def test_tls_is_used_and_a_bad_certificate_is_the_reason(link, qtbot, tmp_path, days, trusted, key):
    private, public = make_certificate(days)
    (tmp_path / "roots.pem").write_bytes(public if trusted else make_certificate(1)[1])
    credentials = grpc.ssl_server_credentials([(private, public)])
    with FakeServer(credentials=credentials) as server:
        port = server.address.rpartition(":")[2]
        chosen = Profile(
            name="tls", address=f"localhost:{port}", tls=True, root_certificates=str(tmp_path / "roots.pem")
        )
        link.open(chosen)
        if key is None:
            qtbot.waitUntil(lambda: connected(link), timeout=5000)
        else:
            qtbot.waitUntil(lambda: ended(link), timeout=10_000)
            assert link.store.connection.disconnect_reason.key == key
        link.close()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"address": "localhost:1", "tls": True, "root_certificates": "/no/such.pem"}, "link.settings"),
        ({"session": "/no/such.session"}, "link.session"),
        ({"session": __file__}, "link.session"),
    ],
)
def test_settings_that_cannot_work_end_the_link_with_a_reason(link, settings, key):
    link.open(Profile(name="x", **settings))
    assert link.store.connection.disconnect_reason.key == key
    assert ended(link)


def test_a_session_is_played_through_the_same_link_and_is_a_replay(link, qtbot, tmp_path):
    path = tmp_path / "x.session"
    event = make_confidence_event("A", DOWN)
    write_session(path, [(0.0, [event]), (0.1, [make_confidence_event("B", UP)])], [MODEL])
    link.open(Profile(name="s", session=str(path), speed=50))
    qtbot.waitUntil(lambda: len(link.store.rows) >= 1, timeout=5000)
    assert link.store.connection.replay
    assert link.session.speed == 50
    for _ in range(3):
        link.change_speed(2)
    assert link.session.speed == 100
    link.change_speed(0.5)
    assert link.session.speed == 50


def test_a_recording_can_be_read(server, link, qtbot, tmp_path):
    server.emit(make_confidence_event("A", UP))
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    link.start_recording(tmp_path / "x.session.gz")
    qtbot.waitUntil(lambda: link.recording and link.recorder.events == 1, timeout=5000)
    link.stop_recording()
    assert not link.recording
    assert len(read_session(tmp_path / "x.session.gz").messages) >= 1
    with qtbot.waitSignal(link.failed) as failed:
        link.start_recording(tmp_path / "no" / "x.session.gz")
    assert failed.args[0] == "record.failed"


def test_a_recording_that_fails_is_reported(server, link, qtbot, tmp_path):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    link.start_recording(tmp_path / "x.session")
    qtbot.waitUntil(lambda: link.recording, timeout=5000)
    with qtbot.waitSignal(link.failed) as failed:
        link.recorder._writer.close()  # private: a disk that fails cannot be simulated otherwise
        server.emit(make_confidence_event("A", UP))
    assert failed.args[0] == "record.failed"
    assert not link.recording


def test_results_from_before_a_reset_are_dropped(server, link, qtbot):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    gate, results = threading.Event(), []
    link.request("old", lambda client: gate.wait(5), results.append)
    server.begin_epoch()
    qtbot.waitUntil(lambda: link.store.connection.resets == 1, timeout=10_000)
    gate.set()
    link.request("new", lambda client: "new", results.append)
    qtbot.waitUntil(lambda: bool(results), timeout=5000)
    assert results == ["new"]


def test_an_unexpected_error_in_a_thread_is_reported_and_the_next_request_succeeds(
    server, link, qtbot, monkeypatch
):
    shown = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: shown.append(kind))
    link.open(profile(server))
    failures, results = [], []
    for number in range(THREADS + 1):
        link.request(f"bad{number}", lambda client: 1 / 0, results.append, failures.append)
    link.request("good", lambda client: 1, results.append)
    qtbot.waitUntil(lambda: results == [1] and len(failures) == THREADS + 1, timeout=5000)
    assert shown == [ZeroDivisionError] * (THREADS + 1)
    monkeypatch.undo()


def test_failing_descriptions_are_not_requested_again_at_once(server, link, qtbot):
    server.fail("ListModels", PermissionDeniedError("denied"))
    with qtbot.waitSignal(link.failed) as failed:
        link.open(profile(server))
    assert failed.args[0] == "link.description_failed"
    qtbot.wait(500)
    assert server.calls["ListModels"] == 1
