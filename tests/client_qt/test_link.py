"""The link against a scripted server: nothing lost, nothing twice, every trouble a sentence."""

import threading
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from desks import DOWN, UP
from glasstape.session import read_session, write_session
from glasstape.testing import MODEL, FakeServer, make_buy, make_confidence_event
from glasstape_qt import secrets
from glasstape_qt.askers import THREADS
from glasstape_qt.link import Link
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.desk import Desk
from glasstape_qt.state.preferences import Profile


@pytest.fixture
def server():
    with FakeServer() as fake:
        yield fake


@pytest.fixture
def link(qapp):
    made = Link(Desk())
    yield made
    made.close()


def profile(server, **settings):
    return Profile(name="test", address=server.address, **settings)


def connected(link):
    return link.desk.connection.state is LinkState.CONNECTED


def ended(link):
    return link.desk.connection.state is LinkState.ENDED


def test_signals_arrive_through_a_thread_and_models_are_described(server, link, qtbot):
    server.emit(make_confidence_event("A", UP))
    link.open(profile(server))
    qtbot.waitUntil(lambda: "A" in link.desk.rows and link.desk.rows["A"].model == MODEL, timeout=5000)
    assert "glasstape-reader" in [thread.name for thread in threading.enumerate()]
    assert link.desk.active == MODEL.ref


def test_a_broken_stream_is_told_resumed_and_repeats_no_buy(server, link, qtbot):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    server.emit(make_buy("A"))
    qtbot.waitUntil(lambda: len(link.desk.buys) == 1, timeout=5000)
    states = []
    link.changed.connect(lambda _: states.append(link.desk.connection.state))
    server.break_streams()
    server.emit(make_buy("B"))
    qtbot.waitUntil(lambda: len(link.desk.buys) == 2, timeout=10_000)
    qtbot.waitUntil(lambda: link.desk.connection.resumed == 1, timeout=10_000)
    assert LinkState.WAITING in states
    assert [buy.event.sequence for buy in link.desk.buys] == [1, 2]


def test_past_buys_stand_in_the_list_when_the_desktop_opens(server, link, qtbot):
    server.emit(make_buy("PAST"))
    link.open(profile(server))
    qtbot.waitUntil(lambda: len(link.desk.buys) == 1, timeout=5000)
    assert next(iter(link.desk.buys)).backlog
    assert link.desk.buys.unseen == 0


def test_answers_come_on_the_gui_thread_and_a_newer_question_replaces_a_waiting_one(server, link, qtbot):
    link.open(profile(server))
    gate, answers, threads = threading.Event(), [], []

    def slow(client):
        gate.wait(5)
        return "slow"

    for number in range(THREADS):
        link.ask(f"block{number}", slow, answers.append)

    def answered(answer):
        answers.append(answer)
        threads.append(threading.current_thread())

    for number in range(10):
        link.ask("same", lambda client, n=number: n, answered)
    gate.set()
    qtbot.waitUntil(lambda: len(answers) == THREADS + 1, timeout=5000)
    assert sorted(map(str, answers)) == ["9", *["slow"] * THREADS]
    assert threads == [threading.main_thread()]


def test_a_failing_question_is_answered_too(server, link, qtbot):
    link.open(profile(server))
    failures = []
    link.ask("bad", lambda client: client.explain(), None, failures.append)
    qtbot.waitUntil(lambda: bool(failures), timeout=5000)
    assert "give one of" in str(failures[0])


def test_nobody_there_is_said_with_the_next_try(link, qtbot):
    link.open(Profile(name="x", address="127.0.0.1:1"))
    qtbot.waitUntil(lambda: link.desk.connection.state is LinkState.WAITING, timeout=5000)
    assert link.desk.connection.trouble.key == "link.nobody"
    assert link.desk.connection.retry_in() <= 5


def test_a_refused_token_ends_the_link_and_the_right_one_opens_it(link, qtbot, monkeypatch):
    ring = {"test": "wrong"}
    monkeypatch.setattr(secrets.keyring, "get_password", lambda service, name: ring.get(name))
    with FakeServer(token="right") as server:
        link.open(profile(server, token=True))
        qtbot.waitUntil(lambda: ended(link), timeout=5000)
        assert link.desk.connection.trouble.key == "link.token"
        ring["test"] = "right"
        link.desk.forget()
        link.open(profile(server, token=True))
        qtbot.waitUntil(lambda: connected(link), timeout=5000)
        link.close()


def test_another_contract_version_is_a_sentence_and_ends_the_stream(server, link, qtbot):
    server.contract_version = "2.0"
    link.open(profile(server))
    qtbot.waitUntil(lambda: ended(link), timeout=5000)
    assert link.desk.connection.trouble.key == "link.contract"
    qtbot.waitUntil(lambda: not link._reader.is_alive(), timeout=5000)


def certificate(days):
    """A self-signed certificate for localhost that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
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
    return private, made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(("days", "trusted", "key"), [(1, True, None), (-1, True, "link.certificate_expired"), (1, False, "link.certificate")])  # fmt: skip  # noqa: E501
def test_tls_is_used_and_a_bad_certificate_named(link, qtbot, tmp_path, days, trusted, key):
    private, public = certificate(days)
    (tmp_path / "roots.pem").write_bytes(public if trusted else certificate(1)[1])
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
            qtbot.waitUntil(lambda: link.desk.connection.state is LinkState.WAITING, timeout=10_000)
            assert link.desk.connection.trouble.key == key
        link.close()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"address": "localhost:1", "tls": True, "root_certificates": "/no/such.pem"}, "link.settings"),
        ({"session": "/no/such.session"}, "link.session"),
        ({"session": __file__}, "link.session"),
    ],
)
def test_settings_that_cannot_work_are_a_sentence_and_no_dead_window(link, settings, key):
    link.open(Profile(name="x", **settings))
    assert link.desk.connection.trouble.key == key
    assert ended(link)


def test_a_session_is_played_through_the_same_link_and_is_a_replay(link, qtbot, tmp_path):
    path = tmp_path / "x.session"
    event = make_confidence_event("A", DOWN)
    write_session(path, [(0.0, [event]), (0.1, [make_confidence_event("B", UP)])], [MODEL])
    link.open(Profile(name="s", session=str(path), speed=50))
    qtbot.waitUntil(lambda: len(link.desk.rows) >= 1, timeout=5000)
    assert link.desk.connection.replay
    assert link.session.speed == 50
    for _ in range(3):
        link.change_speed(2)
    assert link.session.speed == 100
    link.change_speed(0.5)
    assert link.session.speed == 50


def test_what_is_recorded_can_be_read(server, link, qtbot, tmp_path):
    server.emit(make_confidence_event("A", UP))
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    link.record(tmp_path / "x.session.gz")
    qtbot.waitUntil(lambda: link.recording and link._recorder.events == 1, timeout=5000)
    link.stop_recording()
    assert not link.recording
    assert len(read_session(tmp_path / "x.session.gz").messages) >= 1
    with qtbot.waitSignal(link.troubled) as told:
        link.record(tmp_path / "no" / "x.session.gz")
    assert told.args[0] == "record.failed"


def test_a_recording_that_dies_is_told(server, link, qtbot, tmp_path):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    link.record(tmp_path / "x.session")
    qtbot.waitUntil(lambda: link.recording, timeout=5000)
    with qtbot.waitSignal(link.troubled) as told:
        link._recorder._writer.close()
        server.emit(make_confidence_event("A", UP))
    assert told.args[0] == "record.failed"
    assert not link.recording


def test_answers_of_a_history_that_was_lost_go_nowhere(server, link, qtbot):
    link.open(profile(server))
    qtbot.waitUntil(lambda: connected(link), timeout=5000)
    gate, answers = threading.Event(), []
    link.ask("old", lambda client: gate.wait(5), answers.append)
    server.begin_epoch()
    qtbot.waitUntil(lambda: link.desk.connection.resets == 1, timeout=10_000)
    gate.set()
    link.ask("new", lambda client: "new", answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=5000)
    assert answers == ["new"]


def test_a_mistake_of_ours_in_a_thread_is_shown_and_the_next_question_is_answered(
    server, link, qtbot, monkeypatch
):
    shown = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: shown.append(kind))
    link.open(profile(server))
    failures, answers = [], []
    for number in range(THREADS + 1):
        link.ask(f"bad{number}", lambda client: 1 / 0, answers.append, failures.append)
    link.ask("good", lambda client: 1, answers.append)
    qtbot.waitUntil(lambda: answers == [1] and len(failures) == THREADS + 1, timeout=5000)
    assert shown == [ZeroDivisionError] * (THREADS + 1)
    monkeypatch.undo()


def test_a_server_that_will_not_describe_itself_is_not_asked_all_the_time(server, link, qtbot, monkeypatch):
    asked = []

    def refuse(servicer, request, context):
        asked.append(1)
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you")

    monkeypatch.setattr("glasstape._fake_servicer.Servicer.ListModels", refuse)
    with FakeServer() as closed:
        with qtbot.waitSignal(link.troubled) as told:
            link.open(profile(closed))
        assert told.args[0] == "link.not_described"
        qtbot.wait(500)
        assert len(asked) == 1
        link.close()
