import logging
import sys
import threading

import pytest
from glasstape_qt.views.crash_reporter import CrashReporter
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QPushButton


@pytest.fixture
def crashes(qtbot, tmp_path):
    reporter = CrashReporter(tmp_path / "crash.log")
    yield reporter
    reporter.close()
    if reporter.dialog is not None:
        reporter.dialog.close()
        reporter.dialog.deleteLater()


def fail_here():
    raise ZeroDivisionError("in a test")


def test_an_exception_is_logged_each_time_and_shown_once(crashes, tmp_path, qtbot, capsys):
    logging.getLogger("glasstape").warning("logged before")
    for _ in range(2):
        try:
            fail_here()
        except ZeroDivisionError:
            crashes.handle(*sys.exc_info())
    dialog = crashes.dialog
    assert "ZeroDivisionError: in a test" in dialog.report
    assert "logged before" in dialog.report
    assert (tmp_path / "crash.log").read_text().count("ZeroDivisionError: in a test") == 2
    next(button for button in dialog.findChildren(QPushButton) if button.text() == "Copy").click()
    assert QGuiApplication.clipboard().text() == dialog.report
    assert "ZeroDivisionError" in capsys.readouterr().err
    dialog.close()
    try:
        fail_here()
    except ZeroDivisionError:
        crashes.handle(*sys.exc_info())
    assert crashes.dialog is dialog
    assert not dialog.isVisible()


def test_an_exception_of_a_thread_is_shown(crashes, qtbot, capsys):
    thread = threading.Thread(target=fail_here)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: crashes.dialog is not None, timeout=2000)
    assert "fail_here" in crashes.dialog.report


def test_a_log_that_cannot_be_opened_is_a_warning(qtbot, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    reporter = CrashReporter(tmp_path / "file" / "crash.log")
    reporter.close()
    assert "crash log" in caplog.text
