"""Progress of a download: a bar on a terminal, plain lines elsewhere."""

import importlib.util
import sys
import time
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_SECONDS = 5.0
"""Shortest time between two plain lines."""


class HistoryProgress:
    """Shows how far the history of each symbol has come, on standard error."""

    def __init__(self) -> None:
        self._starts: dict[str, datetime] = {}
        self._tasks: dict[str, TaskID] = {}
        self._next_line = 0.0
        self._bars: dict[str, int] = {}
        self._progress = None
        if sys.stderr.isatty() and importlib.util.find_spec("rich"):
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, symbol: str, bars: int, position: datetime, end: datetime) -> None:
        """Show that `bars` more bars of a symbol came, until `position` of `end`."""
        self._bars[symbol] = self._bars.get(symbol, 0) + bars
        start = self._starts.setdefault(symbol, position)
        text = f"{symbol}: {self._bars[symbol]:,} bars until {position.isoformat(timespec='minutes')}"
        if self._progress is None:
            if time.monotonic() >= self._next_line or position >= end:
                print(text, file=sys.stderr, flush=True)
                self._next_line = time.monotonic() + LINE_SECONDS
            return
        self._progress.start()
        if symbol not in self._tasks:
            self._tasks[symbol] = self._progress.add_task(text, total=1.0)
        share = (position - start) / (end - start) if end > start else 1.0
        self._progress.update(self._tasks[symbol], completed=share, description=text)
        if self._progress.finished:
            self._progress.stop()
