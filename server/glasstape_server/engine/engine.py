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
from collections.abc import Callable, Sequence

import numpy as np
import torch

from glasstape_server.domain.errors import DeadlineExceeded, GlasstapeError, ResourceExhausted, Unavailable
from glasstape_server.domain.values import Call, Float32s
from glasstape_server.engine.job import Job, Lane, Observer, OnLoop, Owner, Result, joined
from glasstape_server.engine.work import Columns, Explain, Forecast, Work
from glasstape_server.explain.method import PASSES_AT_ONCE, MethodName, Request
from glasstape_server.explain.scores import Question
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)


class Engine:
    """The queue and its thread. Results of `run` come back on the event loop, of `submit` on the thread itself."""

    def __init__(
        self,
        *,
        torch_threads: int = 1,
        queue_windows: int = 262_144,
        rows_at_once: int = PASSES_AT_ONCE,
        restart: Callable[[], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Start the thread.

        Args:
            torch_threads: that one operation may use.
            queue_windows: that may wait.
            rows_at_once: that the device computes in one go.
            restart: called on the thread when the device failed; what failed is tried once more after it.
            observer: keeps figures.
        """
        self._limit = queue_windows
        self._rows_at_once = rows_at_once
        self._restart = restart
        self._torch_threads = torch_threads
        self._observer = observer
        self._lanes: list[dict[Work, deque[Job]]] = [{} for _ in Lane]
        self._waiting = [0] * len(Lane)
        """Rows by lane."""
        self._rate = 100_000.0
        self._stopped = False
        self._loops: dict[asyncio.AbstractEventLoop, OnLoop] = {}
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> dict[str, int]:
        """Windows that wait, by lane; an explanation counts once for each of its passes."""
        return {lane.name.lower(): self._waiting[lane] for lane in Lane}

    async def run(self, work: Work, rows: Columns | Float32s, lane: Lane, call: Call) -> Result:
        """Queue rows, as the work takes them (an array alone: windows), and wait for the result.

        Raises:
            ResourceExhausted: the queue is full; says when to come back.
            DeadlineExceeded: the deadline passed before the device began.
            Unavailable: the engine has stopped.
        """
        loop = asyncio.get_running_loop()
        owner = self._loops.setdefault(loop, OnLoop(loop))
        given = rows if isinstance(rows, tuple) else (rows,)
        columns = tuple(np.ascontiguousarray(column) for column in given)
        future: asyncio.Future[Result] = loop.create_future()
        for _, error in self.submit([Job(work, columns, lane, call, owner, future)]):
            raise error
        try:
            return await future
        except asyncio.CancelledError:
            call.cancelled = True
            raise

    def submit(self, jobs: Sequence[Job]) -> list[tuple[Job, GlasstapeError]]:
        """Queue jobs of any thread; returns those that are refused, and why: see `run`."""
        with self._ready:
            refused = [(job, error) for job in jobs if (error := self._queue(job)) is not None]
            if len(refused) < len(jobs):
                self._ready.notify()
        return refused

    def _queue(self, job: Job) -> GlasstapeError | None:
        if self._stopped:
            return Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        cost = len(job) * job.work.passes
        ahead = sum(self._waiting[: job.lane + 1])
        if ahead and ahead + cost > self._limit * job.lane.share:
            wait = max(0.05, ahead / self._rate)
            if self._observer:
                self._observer.refused(job.lane)
            return ResourceExhausted(
                "QUEUE_FULL",
                f"{ahead} windows are waiting for the device; come back in {wait:.2f} s",
                metadata={"waiting": str(ahead)},
                retry_after=wait,
            )
        self._waiting[job.lane] += cost
        self._lanes[job.lane].setdefault(job.work, deque()).append(job)
        return None

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
                while not self._stopped and not any(self._lanes):
                    self._ready.wait()
                if self._stopped:
                    self._abandon()
                    return
                batch = self._next_batch()
            if batch:
                self._compute(batch)

    def _next_batch(self) -> list[tuple[Job, int, int]]:
        """Take (job, first row, end row) of equal works from the most urgent lane."""
        lane = next(lane for lane in Lane if self._lanes[lane])
        works = self._lanes[lane]
        work, jobs = next(iter(works.items()))
        room = max(1, self._rows_at_once // work.passes)
        batch = []
        while jobs and room:
            job = jobs[0]
            if self._dropped(job):
                jobs.popleft()
                if self._observer:
                    self._observer.dropped(lane)
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

    def _dropped(self, job: Job) -> bool:
        if job.call.cancelled:
            return True
        if job.call.deadline is not None and time.monotonic() >= job.call.deadline:
            error = DeadlineExceeded("DEADLINE_EXCEEDED", "the deadline passed before the device was free")
            job.owner.failed([job], error)
            return True
        return False

    def _compute(self, batch: list[tuple[Job, int, int]]) -> None:
        begun = time.monotonic()
        work = batch[0][0].work
        rows = joined([_slice(job.rows, first, end) for job, first, end in batch])
        for job, _, _ in batch:
            job.begun = job.begun or begun
        try:
            columns = self._run(work, rows)
        except Exception as error:
            log.exception("a batch of %d rows failed", len(rows[0]))
            for job, _, _ in batch:
                job.call.cancelled = True  # its other parts would be in vain
                job.owner.failed([job], error)
            return
        seconds = time.monotonic() - begun
        if self._observer:
            waited = begun - min(job.queued for job, _, _ in batch)
            what = type(work).__name__.lower()
            self._observer.computed(batch[0][0].lane, what, len(rows[0]), waited, seconds)
        self._rate += 0.2 * (len(rows[0]) * work.passes / max(seconds, 1e-6) - self._rate)
        for job, _, _ in batch:
            job.compute_seconds += seconds
        self._deliver(batch, rows, columns)

    def _run(self, work: Work, rows: Columns) -> Columns:
        try:
            return work.run(rows)
        except torch.AcceleratorError:
            if self._restart is None:
                raise
            log.exception("the device failed")
            self._restart()
            return work.run(rows)

    def _deliver(self, batch: Sequence[tuple[Job, int, int]], rows: Columns, columns: Columns) -> None:
        """Tell owners of what is done; they get the batch's own arrays where it is all theirs and whole."""
        owner = batch[0][0].owner
        if all(job.owner is owner and end - first == len(job) for job, first, end in batch):
            _tell(owner, [job for job, _, _ in batch], rows, columns)
            return
        position = 0
        done: dict[Owner, list[Job]] = {}
        for job, first, end in batch:
            job.parts = (*job.parts, _slice(columns, position, position + end - first))
            position += end - first
            if end == len(job):
                done.setdefault(job.owner, []).append(job)
        for owner, jobs in done.items():
            results = joined([part for job in jobs for part in job.parts])
            _tell(owner, jobs, joined([job.rows for job in jobs]), results)

    def _abandon(self) -> None:
        error = Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        for works in self._lanes:
            for jobs in works.values():
                for job in jobs:
                    job.owner.failed([job], error)
            works.clear()


def _slice(columns: Columns, first: int, end: int) -> Columns:
    whole = first == 0 and end == len(columns[0])
    return columns if whole else tuple(column[first:end] for column in columns)


def _tell(owner: Owner, jobs: Sequence[Job], rows: Columns, columns: Columns) -> None:
    try:
        owner.finished(jobs, rows, columns)
    except Exception as error:  # one caller's failure must not end everybody's device
        log.exception("%d jobs could not be answered", len(jobs))
        owner.failed(jobs, error)
