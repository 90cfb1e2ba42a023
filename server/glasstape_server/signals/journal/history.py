"""The history: what this server can look up of the events that the journal has committed."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Protocol, TypeVar

from glasstape_server.domain.bars import SeriesKey
from glasstape_server.signals.journal.records import Record, Selection

T = TypeVar("T")


class History(Protocol):
    """Committed events by sequence, series and filter. Any thread but that of the event loop may call it.

    Every method raises DataLoss where what is stored is damaged, and Unavailable where it cannot be read now.
    """

    def read(self, after: int, limit: int) -> list[Record]:
        """Return up to `limit` records after the sequence `after`, in order and consecutive."""
        ...

    def page(self, selection: Selection, first: int, last: int, limit: int, descending: bool) -> list[Record]:
        """Return up to `limit` matching records between two sequences, both included."""
        ...

    def record(self, sequence: int) -> Record | None:
        """Return one record; None if it is not held."""
        ...

    def chain_at(self, sequence: int) -> bytes | None:
        """Return the chain hash at a sequence; None if it is not held."""
        ...

    def window(self, sequence: int) -> bytes | None:
        """Return the window of a confidence or its buy, little-endian float32; None if there is none."""
        ...

    def latest(self, now: int) -> list[Record]:
        """Return the newest confidence of each symbol, interval and model name, and unexpired buys, in order.

        Args:
            now: market time, microseconds; buys that expire up to then are left out.
        """
        ...

    def progress(self) -> dict[SeriesKey, int]:
        """Return the close time of the newest processed bar of each series, microseconds."""
        ...

    def unresolved(self) -> list[Record]:
        """Return the confidences without an outcome, in order."""
        ...


class HistoryReaders:
    """Threads that read the history: nothing on the event loop touches a store."""

    def __init__(self, history: History, executor: Executor | None = None) -> None:
        """Read `history`.

        Args:
            executor: runs the reads; two threads unless it is given.
        """
        self.history = history
        self._executor = executor or ThreadPoolExecutor(2, "history")

    async def run_on_reader_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that reads the history, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def close(self) -> None:
        """Wait for reads that are under way, and end the threads."""
        self._executor.shutdown()
