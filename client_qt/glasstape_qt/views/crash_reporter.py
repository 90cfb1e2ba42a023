"""Reports unhandled exceptions: writes them to a log and shows them; sends nothing."""

import faulthandler
import logging
import platform
import sys
import threading
import traceback
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import TextIO

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from glasstape_qt.i18n import tr
from glasstape_qt.views.close_button import close_button

LOG_LINES = 200
"""Newest lines of the log that a report contains."""


class _LogBuffer(logging.Handler):
    """Keeps the newest lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LOG_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class CrashReporter(QObject):
    """Handles unhandled exceptions of every thread; each place in the code is shown once."""

    _crashed = pyqtSignal(str)

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._seen: set[str] = set()
        self._log_buffer = _LogBuffer()
        self._log_buffer.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self._log_buffer)
        self._file = self._open(log)
        self.dialog: CrashDialog | None = None
        self._previous_hooks = sys.excepthook, threading.excepthook
        sys.excepthook = self.handle
        threading.excepthook = lambda args: self.handle(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )
        self._crashed.connect(self._show)

    def handle(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write the exception to stderr and the log, and show it on the GUI thread."""
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        if self._file is not None:
            self._file.write(text)
            self._file.flush()
        last = traceback.extract_tb(trace)[-1] if trace is not None else None
        key = f"{kind.__name__}:{last.filename if last else ''}:{last.lineno if last else ''}"
        if key not in self._seen:
            self._seen.add(key)
            self._crashed.emit(text)

    def close(self) -> None:
        """Restore the previous exception hooks and close the log."""
        sys.excepthook, threading.excepthook = self._previous_hooks
        logging.getLogger().removeHandler(self._log_buffer)
        if self._file is not None:
            faulthandler.disable()
            self._file.close()

    def _open(self, log: Path) -> TextIO | None:
        """Open the log, which also receives fatal errors of Qt; return None if it cannot be written."""
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            file = log.open("a", encoding="utf-8")
        except OSError as error:
            logging.getLogger(__name__).warning("no crash log in %s: %s", log, error)
            return None
        faulthandler.enable(file)
        return file

    def _show(self, text: str) -> None:
        self.dialog = CrashDialog(text, "\n".join(self._log_buffer.lines), QApplication.activeWindow())
        self.dialog.show()


class CrashDialog(QDialog):
    """Shows the report, to read and to copy."""

    def __init__(self, error: str, log: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("crash")
        self.setWindowTitle(tr("crash.title"))
        from glasstape import __version__

        system = f"Glasstape {__version__}, Python {platform.python_version()}, {platform.platform()}"
        self.report = f"{system}\n\n{error}\n{log}"
        explanation = QLabel(tr("crash.explanation"))
        explanation.setWordWrap(True)
        text = QPlainTextEdit(self.report)
        text.setReadOnly(True)
        text.setAccessibleName(tr("crash.title"))
        buttons = close_button()
        copy = buttons.addButton(tr("crash.copy"), QDialogButtonBox.ButtonRole.ActionRole)
        if copy is not None:
            copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        for widget in (explanation, text, buttons):
            layout.addWidget(widget)
        self.resize(720, 420)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.report)
