"""Unit of work in the engine's queue, and the callbacks that receive its result."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

import numpy as np

from glasstape_server.domain.calls import Call
from glasstape_server.engine.work import Arrays, Work

Tag = TypeVar("Tag")


class Lane(IntEnum):
    """Priority class; lower values run first."""

    INTERACTIVE = 0
    FEED = 1
    EXPLAIN = 2
    BULK = 3

    @property
    def share(self) -> float:
        """Share of the queue, 0-1, that this lane and more urgent ones may fill before jobs are rejected."""
        return 0.5 if self in (Lane.EXPLAIN, Lane.BULK) else 1.0


class EngineObserver(Protocol):
    """Observer of the engine. Called on any thread; must not block."""

    def computed(
        self, lane: Lane, work: str, rows: int, queue_seconds: float, compute_seconds: float
    ) -> None:
        """Record a batch.

        Args:
            lane: of the batch.
            work: name of the kind of work.
            rows: rows of the batch.
            queue_seconds: queue time of its oldest job.
            compute_seconds: time on the device.
        """
        ...

    def rejected(self, lane: Lane) -> None:
        """Count a job rejected because the queue was full."""
        ...

    def dropped(self, lane: Lane) -> None:
        """Count a queued job whose call was canceled or whose deadline was exceeded."""
        ...


class JobCallback(Protocol[Tag]):
    """Receiver of finished jobs. Called on the device thread; must not block."""

    def finished(self, jobs: "Sequence[Job[Tag]]", inputs: Arrays, outputs: Arrays) -> None:
        """Receive finished jobs of one work, with their concatenated inputs and outputs."""
        ...

    def failed(self, jobs: "Sequence[Job[Tag]]", error: Exception) -> None:
        """Receive failed jobs."""
        ...


@dataclass(slots=True, eq=False)
class Job(Generic[Tag]):
    """Rows to compute. A job whose call is canceled is dropped without a callback."""

    work: Work
    inputs: Arrays
    lane: Lane
    call: Call
    callback: JobCallback[Tag]
    tag: Tag
    """Data of the callback."""
    queued: float = field(default_factory=time.monotonic)
    """Time of queueing, by `time.monotonic`."""
    started: float = 0.0
    """Time at which the first batch began, by `time.monotonic`."""
    batched_rows: int = 0
    """Rows that were batched so far."""
    parts: tuple[Arrays, ...] = ()
    """Results so far of a job that spans several batches."""
    compute_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def queue_seconds(self) -> float:
        """Time in the queue before the first batch."""
        return self.started - self.queued


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a job."""

    outputs: Arrays
    queue_seconds: float
    compute_seconds: float


class LoopCallback:
    """Callback that resolves futures of one event loop, waking it once for all jobs that finish together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def finished(
        self, jobs: "Sequence[Job[asyncio.Future[Result]]]", inputs: Arrays, outputs: Arrays
    ) -> None:
        """See `JobCallback.finished`."""
        self._loop.call_soon_threadsafe(_set_results, jobs, outputs)

    def failed(self, jobs: "Sequence[Job[asyncio.Future[Result]]]", error: Exception) -> None:
        """See `JobCallback.failed`."""
        self._loop.call_soon_threadsafe(_set_exceptions, jobs, error)


def concatenated(parts: Sequence[Arrays]) -> Arrays:
    """Concatenate arrays along the batch axis."""
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _set_results(jobs: "Sequence[Job[asyncio.Future[Result]]]", outputs: Arrays) -> None:
    first = 0
    for job in jobs:
        if not job.tag.done():
            own = tuple(array[first : first + len(job)] for array in outputs)
            job.tag.set_result(Result(own, job.queue_seconds, job.compute_seconds))
        first += len(job)


def _set_exceptions(jobs: "Sequence[Job[asyncio.Future[Result]]]", error: Exception) -> None:
    for job in jobs:
        if not job.tag.done():
            job.tag.set_exception(error)
