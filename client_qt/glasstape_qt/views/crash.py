"""When something of ours breaks: say so, show the log, lose nothing, send nothing."""

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

from glasstape_qt.i18n import say
from glasstape_qt.views.buttons import close_button

LINES = 200
"""Last lines of the log that a report holds."""


class _Memory(logging.Handler):
    """The last lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=LINES)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class CrashWatch(QObject):
    """Catches what nobody caught, in any thread; each mistake is shown once."""

    _broke = pyqtSignal(str)

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._seen: set[str] = set()
        self._memory = _Memory()
        self._memory.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self._memory)
        self._file = self._open(log)
        self.dialog: CrashDialog | None = None
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self.caught
        threading.excepthook = lambda args: self.caught(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )
        self._broke.connect(self._show)

    def caught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write it down, then show it on the GUI thread."""
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(text)
        if self._file is not None:
            self._file.write(text)
            self._file.flush()
        last = traceback.extract_tb(trace)[-1] if trace is not None else None
        key = f"{kind.__name__}:{last.filename if last else ''}:{last.lineno if last else ''}"
        if key not in self._seen:
            self._seen.add(key)
            self._broke.emit(text)

    def close(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before
        logging.getLogger().removeHandler(self._memory)
        if self._file is not None:
            faulthandler.disable()
            self._file.close()

    def _open(self, log: Path) -> TextIO | None:
        """Qt's own crashes end in this file; a folder that cannot be written costs only that."""
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            file = log.open("a", encoding="utf-8")
        except OSError as error:
            logging.getLogger(__name__).warning("no crash log in %s: %s", log, error)
            return None
        faulthandler.enable(file)
        return file

    def _show(self, text: str) -> None:
        self.dialog = CrashDialog(text, "\n".join(self._memory.lines), QApplication.activeWindow())
        self.dialog.show()


class CrashDialog(QDialog):
    """The report, to read and to copy."""

    def __init__(self, error: str, log: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("crash")
        self.setWindowTitle(say("crash.title"))
        from glasstape import __version__

        system = f"Glasstape {__version__}, Python {platform.python_version()}, {platform.platform()}"
        self.report = f"{system}\n\n{error}\n{log}"
        words = QLabel(say("crash.words"))
        words.setWordWrap(True)
        text = QPlainTextEdit(self.report)
        text.setReadOnly(True)
        text.setAccessibleName(say("crash.title"))
        buttons = close_button()
        copy = buttons.addButton(say("crash.copy"), QDialogButtonBox.ButtonRole.ActionRole)
        if copy is not None:
            copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        for widget in (words, text, buttons):
            layout.addWidget(widget)
        self.resize(720, 420)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.report)
