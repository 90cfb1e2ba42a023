"""The desktop's composition root."""

import signal
import sys
import traceback
from types import TracebackType

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from glasstape_qt.link import Link
from glasstape_qt.state import Desk
from glasstape_qt.window import MainWindow


def run(address: str, duration: float | None) -> int:
    """Open the desktop until it is closed, or for `duration` seconds; returns the exit status."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    sys.excepthook = _report  # without a hook, Qt aborts on an exception in a slot
    desk = Desk()
    link = Link(address, desk)
    window = MainWindow(desk, link)
    window.show()
    link.start()
    if duration is not None:
        QTimer.singleShot(round(duration * 1000), window.close)
    # Python sees Ctrl-C only when it runs; the drain timer lets it.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    return application.exec()


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    traceback.print_exception(kind, error, trace)
