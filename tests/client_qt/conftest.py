"""What every test of the desktop needs: a look, a folder of its own, and nothing left behind."""

import sys
import threading
import time

import pytest
from glasstape_qt.look.appearance import Appearance
from glasstape_qt.state.preferences import Preferences
from PyQt6 import sip
from PyQt6.QtCore import QCoreApplication, QEvent, QTimer
from PyQt6.QtWidgets import QApplication


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSTAPE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture(autouse=True)
def no_calendar_thread(monkeypatch):
    """Calendars are read in seconds, on a thread that outlives a test and switches warnings off meanwhile."""
    monkeypatch.setattr("glasstape.calendars.load_in_background", lambda exchange: None)


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch):
    """A test fails that leaves a thread of ours or a running timer."""
    started = []
    start = QTimer.start

    def remembered(timer, *arguments):
        started.append(timer)
        start(timer, *arguments)

    monkeypatch.setattr(QTimer, "start", remembered)
    hooks = sys.excepthook, threading.excepthook
    yield
    assert (sys.excepthook, threading.excepthook) == hooks
    if QApplication.instance() is not None:
        QApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    running = [timer for timer in started if not sip.isdeleted(timer) and timer.isActive()]
    assert not running, [timer.parent() for timer in running]
    end = time.monotonic() + 2.0
    while ours() and time.monotonic() < end:
        time.sleep(0.01)  # a thread that was told to end needs a moment to do so
    assert not ours()


def ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("glasstape")]


@pytest.fixture
def preferences():
    return Preferences(language="en", theme="light")


@pytest.fixture
def appearance(qapp, preferences):
    made = Appearance(qapp, preferences)
    yield made
    made.apply(Preferences(language="en", theme="light"))
