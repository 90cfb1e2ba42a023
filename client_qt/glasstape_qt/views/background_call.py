"""Runs a call that may wait, such as one of the keyring, on a thread, while the event loop continues."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from PyQt6.QtCore import QEventLoop, QObject, QTimer, pyqtSignal
from PyQt6.QtWidgets import QWidget

T = TypeVar("T")
TIMEOUT_MS = 120_000


class _Call(QObject):
    finished = pyqtSignal()


def call_in_background(call: Callable[[], T], widget: QWidget, timeout_ms: int = TIMEOUT_MS) -> T:
    """Return what `call` returns; `widget` is disabled meanwhile, and the window stays responsive.

    The thread is a daemon that nothing joins: the call may wait for ever.

    Raises:
        TimeoutError: it has not returned in time; besides everything that `call` raises.
    """
    results: list[tuple[Any, Exception | None]] = []
    background, loop, timer = _Call(), QEventLoop(), QTimer()

    def run() -> None:
        try:
            results.append((call(), None))
        except Exception as error:
            results.append((None, error))
        background.finished.emit()

    background.finished.connect(loop.quit)
    timer.setSingleShot(True)
    timer.timeout.connect(loop.quit)
    widget.setEnabled(False)
    threading.Thread(target=run, name="keyring", daemon=True).start()
    timer.start(timeout_ms)
    loop.exec()
    timer.stop()
    widget.setEnabled(True)
    if not results:
        raise TimeoutError(f"no answer within {timeout_ms / 1000:g} s")
    result, error = results[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]
