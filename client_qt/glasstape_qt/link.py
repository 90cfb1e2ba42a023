"""The one file that joins Qt and the SDK: a reader thread, and a timer that drains at the screen's pace."""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

from glasstape import Client, GlasstapeError
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from glasstape_qt.state import Desk

DRAIN_MILLISECONDS = 50


HEATMAP = "integrated_gradients"
"""The live map: contributions, because only they add up, and so have a share in words."""


class Link(QObject):
    """Follows the feed into a `Desk`. The desk is changed on the GUI thread alone."""

    changed = pyqtSignal(set)
    """Symbols whose rows changed; an empty set when only the status did."""

    def __init__(self, address: str, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._client = Client(address)
        self._stream = self._client.signals(heatmap_method=HEATMAP)
        self._waiting: deque[Callable[[], set[str]]] = deque()
        self._thread = threading.Thread(target=self._read, name="glasstape-reader")
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.drain)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()
        self._timer.start(DRAIN_MILLISECONDS)

    def stop(self) -> None:
        """End the stream and join the reader."""
        self._timer.stop()
        self._stream.close()
        if self._thread.is_alive():
            self._thread.join(5)
        self._client.close()

    def drain(self) -> None:
        """Take everything that has come since the last time, then tell once."""
        symbols: set[str] = set()
        told = False
        while self._waiting:
            told = True
            symbols |= self._waiting.popleft()()
        if told:
            self.changed.emit(symbols)

    def _read(self) -> None:
        """On the reader thread: nothing but queueing what the GUI thread is to do."""
        described = False
        try:
            for message in self._stream.messages():
                described = described or self._describe()
                self._waiting.append(partial(self._desk.take, message))
        except GlasstapeError as error:
            self._waiting.append(partial(self._desk.fail, error))

    def _describe(self) -> bool:
        try:
            model, instruments = self._client.model(), self._client.instruments()
        except GlasstapeError:
            return False  # not connected yet: the next message tries again
        self._waiting.append(partial(self._desk.describe, model, instruments))
        return True
