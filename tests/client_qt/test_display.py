"""Without a display or a library, the desktop says so in one sentence and exits with status 1."""

import os
import subprocess
import sys

import pytest
from glasstape.cli import installation
from glasstape_qt import display

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="platform plugins of Linux")


def desk(**environment):
    inherited = {key: text for key, text in os.environ.items() if key not in ("QT_QPA_PLATFORM", "DISPLAY")}
    return subprocess.run(
        [sys.executable, "-m", "glasstape.cli", "desk", "--profile", "demo"],
        env={**inherited, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_display_that_does_not_answer_is_one_sentence():
    done = desk(DISPLAY=":99")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "':99'" in done.stderr
    assert "xcb-cursor0" not in done.stderr


def test_each_cause_has_its_own_sentence(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "")
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("WAYLAND_DISPLAY", "")
    assert "are not set" in display.reason()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(
        display, "_missing_library", lambda: "libxcb-icccm.so.4: cannot open shared object file"
    )
    assert "libxcb-icccm.so.4" in display.reason()
    monkeypatch.setenv("QT_QPA_PLATFORM", "hologram")
    assert "'hologram'" in display.reason()


def test_doctor_says_whether_a_window_can_be_opened(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert list(installation.check_desktop()) == [("ok", "desktop: a window can be opened")]
    monkeypatch.setenv("QT_QPA_PLATFORM", "hologram")
    (kind, sentence), *more = installation.check_desktop()
    assert (kind, more) == ("warning", [])
    assert "QT_QPA_PLATFORM: must name a platform plugin" in sentence
