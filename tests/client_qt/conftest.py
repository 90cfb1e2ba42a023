"""Fixtures of every test of the desktop: appearance, a folder of its own, and a check for leftovers."""

import sys
import threading
import time

import keyring.backend
import pytest
from glasstape_qt.state.preferences import Preferences
from glasstape_qt.theme.appearance import Appearance
from PyQt6 import sip
from PyQt6.QtCore import QCoreApplication, QEvent, QTimer
from PyQt6.QtWidgets import QApplication


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture(autouse=True)
def no_calendar_thread(monkeypatch):
    """Loading a calendar takes seconds, on a thread that outlives a test and turns warnings off meanwhile."""
    monkeypatch.setattr("glasstape.calendars.load_in_background", lambda exchange: None)


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    """Fail a test that leaves a thread of the desktop or a running timer behind."""
    started = []
    start = QTimer.start

    def recorded_start(timer, *arguments):
        started.append(timer)
        start(timer, *arguments)

    # Qt has no public list of timers.
    monkeypatch.setattr(QTimer, "start", recorded_start)
    hooks, before = (sys.excepthook, threading.excepthook), set(threading.enumerate())
    yield
    assert (sys.excepthook, threading.excepthook) == hooks
    if QApplication.instance() is not None:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    running = [timer for timer in started if not sip.isdeleted(timer) and timer.isActive()]
    assert not running, [timer.parent() for timer in running]
    end = time.monotonic() + 2.0
    while threads_since(before) and time.monotonic() < end:
        time.sleep(0.01)  # a stopped thread needs a moment to end
    assert not threads_since(before)


def threads_since(before):
    return [t.name for t in threading.enumerate() if t.name.startswith("glasstape") and t not in before]


@pytest.fixture
def preferences():
    return Preferences(language="en", theme="light", palette="korea")


@pytest.fixture
def appearance(qapp, preferences):
    appearance = Appearance(qapp, preferences)
    yield appearance
    appearance.apply(Preferences(language="en", theme="light"))


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that forgets everything with its test."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.tokens = {}

    def get_password(self, service, username):
        return self.tokens.get(username)

    def set_password(self, service, username, password):
        self.tokens[username] = password

    def delete_password(self, service, username):
        del self.tokens[username]


@pytest.fixture
def memory_keyring():
    previous, memory = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(previous)
