"""Batch while busy: whatever queued while the device worked is its next batch.

One thread owns torch; the event loop never computes. There is no artificial delay: an idle device
starts at once. Lanes are strict: a waiting interactive call goes before everything else. Work whose
caller went away or whose deadline passed is dropped before it reaches the device.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import torch

from glasstape_server.domain import Call, Float32s
from glasstape_server.engine.work import PASSES_AT_ONCE, Columns, Explain, Forecast, Work
from glasstape_server.errors import DeadlineExceeded, ResourceExhausted, Unavailable
from glasstape_server.explain.method import MethodName, Request
from glasstape_server.explain.scores import Question
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)


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


@dataclass(slots=True, eq=False)
class _Job:
    work: Work
    rows: Columns
    lane: Lane
    call: Call
    future: "asyncio.Future[Result]"
    loop: asyncio.AbstractEventLoop
    queued: float = field(default_factory=time.monotonic)
    begun: float = 0.0
    parts: list[Columns] = field(default_factory=list)
    taken: int = 0
    compute_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.rows[0])


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job."""

    columns: Columns
    queue_seconds: float
    compute_seconds: float


class Engine:
    """The queue and its thread. `run` is called on the event loop; results come back there."""

    def __init__(self, *, torch_threads: int = 1, queue_windows: int = 262_144) -> None:
        self._limit = queue_windows
        self._torch_threads = torch_threads
        self._lanes: dict[Lane, dict[Work, deque[_Job]]] = {lane: {} for lane in Lane}
        self._waiting = dict.fromkeys(Lane, 0)
        self._rate = 100_000.0
        self._stopped = False
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    async def run(self, work: Work, rows: Columns | Float32s, lane: Lane, call: Call) -> Result:
        """Queue rows, as the work takes them (an array alone: windows), and wait for the result.

        Raises:
            ResourceExhausted: the queue is full; says when to come back.
            DeadlineExceeded: the deadline passed before the device began.
            Unavailable: the engine has stopped.
        """
        loop = asyncio.get_running_loop()
        given = rows if isinstance(rows, tuple) else (rows,)
        columns = tuple(np.ascontiguousarray(column) for column in given)
        job = _Job(work, columns, lane, call, loop.create_future(), loop)
        cost = len(job) * work.passes
        with self._ready:
            if self._stopped:
                raise Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
            ahead = sum(self._waiting[other] for other in Lane if other <= lane)
            if ahead and ahead + cost > self._limit * lane.share:
                wait = max(0.05, ahead / self._rate)
                raise ResourceExhausted(
                    "QUEUE_FULL",
                    f"{ahead} windows are waiting for the device; come back in {wait:.2f} s",
                    metadata={"waiting": str(ahead)},
                    retry_after=wait,
                )
            self._waiting[lane] += cost
            self._lanes[lane].setdefault(work, deque()).append(job)
            self._ready.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            call.cancelled = True
            raise

    async def warm(self, model: Model) -> None:
        """Run the model's golden windows forwards and backwards, so that no request is its first."""
        golden = model.statistics.golden_windows.numpy()
        explain = Explain(model, Request(MethodName.GRADIENT, Question()))
        for rows in (1, 8, 64, 512):
            windows = np.resize(golden, (rows, *golden.shape[1:]))
            await self.run(Forecast(model), windows, Lane.INTERACTIVE, Call())
            await self.run(explain, windows, Lane.INTERACTIVE, Call())

    def stop(self) -> None:
        """Finish the batch on the device, fail what is queued, and join the thread."""
        with self._ready:
            self._stopped = True
            self._ready.notify()
        self._thread.join()

    def _serve(self) -> None:
        torch.set_num_threads(self._torch_threads)
        while True:
            with self._ready:
                while not self._stopped and not any(self._lanes.values()):
                    self._ready.wait()
                if self._stopped:
                    self._abandon()
                    return
                batch = self._next_batch()
            if batch:
                self._compute(batch)

    def _next_batch(self) -> list[tuple[_Job, int, int]]:
        """Take (job, first row, end row) of equal works from the most urgent lane."""
        lane = next(lane for lane in Lane if self._lanes[lane])
        works = self._lanes[lane]
        work, jobs = next(iter(works.items()))
        room = max(1, PASSES_AT_ONCE // work.passes)
        batch = []
        while jobs and room:
            job = jobs[0]
            if self._dropped(job):
                jobs.popleft()
                self._waiting[lane] -= (len(job) - job.taken) * work.passes
                continue
            end = min(len(job), job.taken + room)
            batch.append((job, job.taken, end))
            room -= end - job.taken
            self._waiting[lane] -= (end - job.taken) * work.passes
            job.taken = end
            if end == len(job):
                jobs.popleft()
        # Another work of this lane goes next, so that one caller's long job starves nobody.
        del works[work]
        if jobs:
            works[work] = jobs
        return batch

    def _dropped(self, job: _Job) -> bool:
        if job.call.cancelled:
            return True
        if job.call.deadline is not None and time.monotonic() >= job.call.deadline:
            error = DeadlineExceeded("DEADLINE_EXCEEDED", "the deadline passed before the device was free")
            job.loop.call_soon_threadsafe(_fail, job.future, error)
            return True
        return False

    def _compute(self, batch: list[tuple[_Job, int, int]]) -> None:
        begun = time.monotonic()
        work = batch[0][0].work
        rows = _joined([tuple(column[first:end] for column in job.rows) for job, first, end in batch])
        for job, _, _ in batch:
            job.begun = job.begun or begun
        try:
            columns = work.run(rows)
        except Exception as error:
            log.exception("a batch of %d rows failed", len(rows[0]))
            for job, _, _ in batch:
                job.call.cancelled = True  # its other parts would be in vain
                job.loop.call_soon_threadsafe(_fail, job.future, error)
            return
        seconds = time.monotonic() - begun
        self._rate += 0.2 * (len(rows[0]) * work.passes / max(seconds, 1e-6) - self._rate)
        position = 0
        finished: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job, first, end in batch:
            size = end - first
            job.parts.append(tuple(column[position : position + size] for column in columns))
            job.compute_seconds += seconds
            position += size
            if end == len(job):
                finished.setdefault(job.loop, []).append(job)
        for loop, jobs in finished.items():
            loop.call_soon_threadsafe(_finish, jobs)

    def _abandon(self) -> None:
        error = Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        for works in self._lanes.values():
            for jobs in works.values():
                for job in jobs:
                    job.loop.call_soon_threadsafe(_fail, job.future, error)
            works.clear()


def _joined(parts: list[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _finish(jobs: list[_Job]) -> None:
    for job in jobs:
        if not job.future.done():
            columns = _joined(job.parts)
            job.future.set_result(Result(columns, job.begun - job.queued, job.compute_seconds))


def _fail(future: "asyncio.Future[Result]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
