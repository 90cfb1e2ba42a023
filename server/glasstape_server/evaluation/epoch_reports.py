"""Reports of the epochs of fits that run in other processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from threading import Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class EpochReport:
    """State of a fit after one of its epochs."""

    fit: str
    """Fold and candidate."""
    epoch: int
    """From 1; of trees, a round."""
    training: float
    """Loss, nats."""
    validation: float

    def to_text(self) -> str:
        """Return fold, candidate, epoch and losses, for a line of progress."""
        return f"{self.fit}, epoch {self.epoch}, loss {self.training:.4f}, validation {self.validation:.4f}"


EpochReporter = Callable[[EpochReport], None]

_queue: Any = None
"""Of a worker: leads to its parent."""


def send(report: EpochReport) -> None:
    """Send a report to the parent of this worker."""
    _queue.put(report)


def connect(queue: Any) -> None:
    """Let `send` of this worker use a queue of its parent."""
    global _queue
    _queue = queue


@contextmanager
def receiving(context: SpawnContext, report: EpochReporter) -> Iterator[Any]:
    """Yield a queue for workers, whose reports a thread of this process passes on until the block ends."""
    queue: Any = context.SimpleQueue()

    def receive() -> None:
        while (item := queue.get()) is not None:
            report(item)

    thread = Thread(target=receive, name="epoch reports", daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        queue.put(None)
        thread.join()
