"""Dynamic batching: rows that queue while the device is busy form its next batch.

One thread owns torch; the event loop never computes. There is no batching delay: an idle device starts at once.
Lanes have strict priority: an interactive job runs before all others. A job whose call was canceled or whose
deadline was exceeded is dropped before it reaches the device.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import DeadlineExceeded, GlasstapeError, ResourceExhausted, Unavailable
from glasstape_server.engine.job import (
    EngineObserver,
    Job,
    JobCallback,
    Lane,
    LoopCallback,
    Result,
    Tag,
    concatenated,
)
from glasstape_server.engine.work import Arrays, ExplainWork, ForecastWork, Work
from glasstape_server.explain.defaults import default_method, resolved
from glasstape_server.explain.method import PASSES_AT_ONCE, Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)

_Slice = tuple[Job[Any], int, int]
"""Rows of a job that are in a batch: (job, first, end)."""


class Engine:
    """Queue and thread of the device. Results of `run` arrive on the event loop, of `submit` on the thread."""

    def __init__(
        self,
        *,
        torch_threads: int = 1,
        queue_windows: int = 262_144,
        max_batch_rows: int = PASSES_AT_ONCE,
        restart_device: Callable[[], None] | None = None,
        observer: EngineObserver | None = None,
    ) -> None:
        """Start the thread.

        Args:
            torch_threads: threads per torch operation.
            queue_windows: capacity of the queue.
            max_batch_rows: rows that the device computes at once.
            restart_device: called on the thread after the device failed; the failed batch is then retried once.
            observer: receives the metrics.
        """
        self._capacity = queue_windows
        self._max_batch_rows = max_batch_rows
        self._restart_device = restart_device
        self._torch_threads = torch_threads
        self._observer = observer
        self._lanes: list[dict[Work, deque[Job[Any]]]] = [{} for _ in Lane]
        self._queued = [0] * len(Lane)
        """Queued rows by lane, times the passes of each."""
        self._throughput = 100_000.0
        """Moving average, rows per second."""
        self._stopped = False
        self._loops: dict[asyncio.AbstractEventLoop, LoopCallback] = {}
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    @property
    def queued_windows(self) -> dict[str, int]:
        """Queued windows by lane; an explanation counts once for each of its passes."""
        return {lane.name.lower(): self._queued[lane] for lane in Lane}

    async def run(self, work: Work, inputs: Arrays | Float32s, lane: Lane, call: Call) -> Result:
        """Queue rows and wait for their result.

        Args:
            work: to do.
            inputs: of the work, each (n, ...); an array alone stands for the one column of windows.
            lane: priority.
            call: the caller's deadline and cancellation.

        Raises:
            ResourceExhausted: the queue is full; has `retry_after`.
            DeadlineExceeded: the deadline passed before the device began.
            Unavailable: the engine has stopped.
            CancelledError: the task was canceled; the job is dropped unless it is running.
        """
        loop = asyncio.get_running_loop()
        callback = self._loops.setdefault(loop, LoopCallback(loop))
        arrays = tuple(np.ascontiguousarray(a) for a in (inputs if isinstance(inputs, tuple) else (inputs,)))
        future: asyncio.Future[Result] = loop.create_future()
        for _, error in self.submit([Job(work, arrays, lane, call, callback, future)]):
            raise error
        try:
            return await future
        except asyncio.CancelledError:
            call.canceled = True
            raise

    def submit(self, jobs: Sequence[Job[Tag]]) -> list[tuple[Job[Tag], GlasstapeError]]:
        """Queue jobs; return the rejected ones with their errors (see `run`). Safe on any thread."""
        with self._ready:
            rejected = [(job, error) for job in jobs if (error := self._queue(job)) is not None]
            if len(rejected) < len(jobs):
                self._ready.notify()
        return rejected

    def _queue(self, job: Job[Any]) -> GlasstapeError | None:
        if self._stopped:
            return Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        cost = len(job) * job.work.passes
        ahead = sum(self._queued[: job.lane + 1])
        if ahead and ahead + cost > self._capacity * job.lane.share:
            wait = max(0.05, ahead / self._throughput)
            if self._observer:
                self._observer.rejected(job.lane)
            return ResourceExhausted(
                "QUEUE_FULL",
                f"the engine queue is full: {ahead} windows queued; retry after {wait:.2f} s",
                metadata={"waiting": str(ahead)},
                retry_after=wait,
            )
        self._queued[job.lane] += cost
        self._lanes[job.lane].setdefault(job.work, deque()).append(job)
        return None

    async def warm(self, model: Model) -> None:
        """Run forward and backward passes of a model, so that its first request is not slower than others."""
        golden = model.statistics.golden_windows.numpy()
        usual = Request(default_method(checked=False), ScoreSpec(), by_default=True)
        explain = ExplainWork(model, resolved(usual, [model]))
        for rows in (1, 8, 64, 512):
            windows = np.resize(golden, (rows, *golden.shape[1:]))
            await self.run(ForecastWork(model), windows, Lane.INTERACTIVE, Call())
            await self.run(explain, windows, Lane.INTERACTIVE, Call())

    def stop(self) -> None:
        """Finish the current batch, fail queued jobs with Unavailable, and join the thread."""
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
                    self._fail_queued()
                    return
                batch = self._next_batch()
            if batch:
                self._compute(batch)

    def _next_batch(self) -> list[_Slice]:
        """Take rows of equal works from the most urgent lane."""
        lane = next(lane for lane in Lane if self._lanes[lane])
        works = self._lanes[lane]
        work, jobs = next(iter(works.items()))
        capacity = max(1, self._max_batch_rows // work.passes)
        batch = []
        while jobs and capacity:
            job = jobs[0]
            if self._is_dropped(job):
                jobs.popleft()
                if self._observer:
                    self._observer.dropped(lane)
                self._queued[lane] -= (len(job) - job.batched_rows) * work.passes
                continue
            end = min(len(job), job.batched_rows + capacity)
            batch.append((job, job.batched_rows, end))
            capacity -= end - job.batched_rows
            self._queued[lane] -= (end - job.batched_rows) * work.passes
            job.batched_rows = end
            if end == len(job):
                jobs.popleft()
        # Round robin over the works of the lane, so that a long job does not starve other callers.
        del works[work]
        if jobs:
            works[work] = jobs
        return batch

    def _is_dropped(self, job: Job[Any]) -> bool:
        if job.call.canceled:
            return True
        if job.call.deadline is not None and time.monotonic() >= job.call.deadline:
            error = DeadlineExceeded("DEADLINE_EXCEEDED", "the deadline passed before the device was free")
            job.callback.failed([job], error)
            return True
        return False

    def _compute(self, batch: list[_Slice]) -> None:
        started = time.monotonic()
        work = batch[0][0].work
        inputs = concatenated([_slice(job.inputs, first, end) for job, first, end in batch])
        for job, _, _ in batch:
            job.started = job.started or started
        try:
            outputs = self._run(work, inputs)
        except Exception as error:
            log.exception("a batch of %d rows failed", len(inputs[0]))
            for job, _, _ in batch:
                job.call.canceled = True  # drop its remaining rows
                job.callback.failed([job], error)
            return
        seconds = time.monotonic() - started
        if self._observer:
            queue_seconds = started - min(job.queued for job, _, _ in batch)
            self._observer.computed(batch[0][0].lane, work.label, len(inputs[0]), queue_seconds, seconds)
        self._throughput += 0.2 * (len(inputs[0]) * work.passes / max(seconds, 1e-6) - self._throughput)
        for job, _, _ in batch:
            job.compute_seconds += seconds
        self._deliver(batch, inputs, outputs)

    def _run(self, work: Work, inputs: Arrays) -> Arrays:
        try:
            return work.run(inputs)
        except torch.AcceleratorError:
            if self._restart_device is None:
                raise
            log.exception("the device failed")
            self._restart_device()
            return work.run(inputs)

    def _deliver(self, batch: Sequence[_Slice], inputs: Arrays, outputs: Arrays) -> None:
        """Call back for finished jobs, without copies if one callback owns the batch and all its jobs are whole."""
        callback = batch[0][0].callback
        if all(job.callback is callback and end - first == len(job) for job, first, end in batch):
            _call_back(callback, [job for job, _, _ in batch], inputs, outputs)
            return
        position = 0
        done: dict[JobCallback[Any], list[Job[Any]]] = {}
        for job, first, end in batch:
            job.parts = (*job.parts, _slice(outputs, position, position + end - first))
            position += end - first
            if end == len(job):
                done.setdefault(job.callback, []).append(job)
        for callback, jobs in done.items():
            results = concatenated([part for job in jobs for part in job.parts])
            _call_back(callback, jobs, concatenated([job.inputs for job in jobs]), results)

    def _fail_queued(self) -> None:
        error = Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        for works in self._lanes:
            for jobs in works.values():
                for job in jobs:
                    job.callback.failed([job], error)
            works.clear()


def _slice(arrays: Arrays, first: int, end: int) -> Arrays:
    whole = first == 0 and end == len(arrays[0])
    return arrays if whole else tuple(array[first:end] for array in arrays)


def _call_back(callback: JobCallback[Any], jobs: Sequence[Job[Any]], inputs: Arrays, outputs: Arrays) -> None:
    try:
        callback.finished(jobs, inputs, outputs)
    except Exception as error:  # a failing callback must not end the device thread
        log.exception("callback of %d jobs failed", len(jobs))
        callback.failed(jobs, error)
