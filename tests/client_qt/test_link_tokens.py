"""Tokens of the link: from a keyring that fails or waits, a file, or this run."""

import threading

import pytest
from glasstape.testing import FakeServer
from glasstape_qt import token_store
from glasstape_qt.link import Link
from glasstape_qt.state.connection import LinkState
from glasstape_qt.state.preferences import Profile
from glasstape_qt.state.signal_store import SignalStore


@pytest.fixture
def server():
    with FakeServer(token="right") as fake:
        yield fake


@pytest.fixture
def link(qapp):
    link = Link(SignalStore())
    yield link
    link.close()
    token_store.keep_for_session("test", "")


def wait_for(qtbot, link, state):
    qtbot.waitUntil(lambda: link.store.connection.state is state, timeout=5000)


def test_a_keyring_that_fails_is_a_reason_and_not_the_end(server, link, qtbot, memory_keyring, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("D-Bus is locked")

    monkeypatch.setattr(memory_keyring, "get_password", fail)
    link.open(Profile(name="test", address=server.address, token=True))
    wait_for(qtbot, link, LinkState.ENDED)
    reason = link.store.connection.disconnect_reason
    assert (reason.key, reason.values["error"]) == ("link.keyring", "RuntimeError: D-Bus is locked")
    token_store.keep_for_session("test", "right")
    link.store.clear()
    link.open(link.profile)
    wait_for(qtbot, link, LinkState.CONNECTED)


def test_a_keyring_that_waits_for_its_user_blocks_nothing(server, link, qtbot, memory_keyring, monkeypatch):
    unlocked = threading.Event()
    monkeypatch.setattr(memory_keyring, "get_password", lambda *_: unlocked.wait(10) and "right")
    link.open(Profile(name="test", address=server.address, token=True))
    assert link.store.connection.disconnect_reason.key == "link.keyring_waiting"
    unlocked.set()
    wait_for(qtbot, link, LinkState.CONNECTED)


def test_another_server_is_opened_while_the_keyring_waits(server, link, qtbot, memory_keyring, monkeypatch):
    unlocked = threading.Event()
    monkeypatch.setattr(memory_keyring, "get_password", lambda *_: unlocked.wait(10) and "late")
    link.open(Profile(name="locked", address="127.0.0.1:1", token=True))
    token_store.keep_for_session("test", "right")
    link.store.clear()
    link.open(Profile(name="test", address=server.address, token=True))
    unlocked.set()
    wait_for(qtbot, link, LinkState.CONNECTED)
    assert link.address == server.address


def test_a_token_file_replaces_the_keyring(server, link, qtbot, tmp_path):
    path = tmp_path / "token"
    path.write_text("right\n")
    link.open(Profile(name="test", address=server.address, token_file=str(path)))
    wait_for(qtbot, link, LinkState.CONNECTED)
    path.unlink()
    link.store.clear()
    link.open(link.profile)
    wait_for(qtbot, link, LinkState.ENDED)
    assert link.store.connection.disconnect_reason.key == "link.token_file"
