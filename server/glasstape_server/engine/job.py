"""Rows that somebody wants worked on, and what comes back to him."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from glasstape_server.domain.values import Call
from glasstape_server.engine.work import Columns, Work


class Lane(IntEnum):
    """Who goes first, and how much of the queue a lane may fill."""

    INTERACTIVE = 0
    FEED = 1
    EXPLAIN = 2
    BULK = 3

    @property
    def share(self) -> float:
        """Part of the queue that work of this lane and of more urgent ones may fill before it is refused."""
        return 0.5 if self in (Lane.EXPLAIN, Lane.BULK) else 1.0


class Observer(Protocol):
    """Keeps the engine's figures. Called on any thread, and must be quick."""

    def computed(self, lane: Lane, what: str, rows: int, waited: float, seconds: float) -> None:
        """A batch of so many rows; the oldest had waited so long."""
        ...

    def refused(self, lane: Lane) -> None:
        """A job that found the queue full."""
        ...

    def dropped(self, lane: Lane) -> None:
        """A job whose caller went away, or whose deadline passed, before it began."""
        ...


class Owner(Protocol):
    """Whoever queued jobs; told on the device thread what became of them, and must be quick there."""

    def finished(self, jobs: "Sequence[Job]", rows: Columns, columns: Columns) -> None:
        """Jobs of one work that are done, with their rows and results, one job after the other."""
        ...

    def failed(self, jobs: "Sequence[Job]", error: Exception) -> None:
        """Jobs that will not be done."""
        ...


@dataclass(slots=True, eq=False)
class Job:
    """Rows that somebody wants worked on. A cancelled one is dropped without a word."""

    work: Work
    rows: Columns
    lane: Lane
    call: Call
    owner: Owner
    tag: Any = None
    """The owner's own."""
    queued: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    taken: int = 0
    """Rows that went to the device."""
    parts: tuple[Columns, ...] = ()
    """Results so far of a job that takes several batches."""
    compute_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.rows[0])

    @property
    def queue_seconds(self) -> float:
        """From queued to begun."""
        return self.begun - self.queued


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job."""

    columns: Columns
    queue_seconds: float
    compute_seconds: float


class OnLoop:
    """Owner of jobs whose tags are futures of one event loop: all that finish together wake it once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def finished(self, jobs: Sequence[Job], rows: Columns, columns: Columns) -> None:
        """See `Owner.finished`."""
        self._loop.call_soon_threadsafe(_finish, jobs, columns)

    def failed(self, jobs: Sequence[Job], error: Exception) -> None:
        """See `Owner.failed`."""
        self._loop.call_soon_threadsafe(_fail, jobs, error)


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one after the other."""
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _finish(jobs: Sequence[Job], columns: Columns) -> None:
    first = 0
    for job in jobs:
        if not job.tag.done():
            own = tuple(column[first : first + len(job)] for column in columns)
            job.tag.set_result(Result(own, job.queue_seconds, job.compute_seconds))
        first += len(job)


def _fail(jobs: Sequence[Job], error: Exception) -> None:
    for job in jobs:
        if not job.tag.done():
            job.tag.set_exception(error)
