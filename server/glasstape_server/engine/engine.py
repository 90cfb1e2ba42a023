"""Dynamic batching: rows that queue while the device is busy form its next batch.

One thread at a time has the device: the device thread, or a thread that finds the device idle and computes a small
batch itself (`run_if_idle`), so that no other is woken for it. The event loop never computes. There is no batching
delay: an idle device starts at once.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.calls import Call
from glasstape_server.domain.errors import GlasstapeError, Unavailable
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
from glasstape_server.engine.job_queue import JobQueue, Slice
from glasstape_server.engine.work import Arrays, ExplainWork, ForecastWork, Work
from glasstape_server.explain.defaults import default_method, resolved
from glasstape_server.explain.method import PASSES_AT_ONCE, Request
from glasstape_server.explain.scores import ScoreSpec
from glasstape_server.models.model import Model

log = logging.getLogger(__name__)


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
        self._queue = JobQueue(queue_windows, max_batch_rows, observer)
        self._restart_device = restart_device
        self._torch_threads = torch_threads
        self._observer = observer
        self._throughput = 100_000.0
        """Moving average, rows per second."""
        self._busy = False
        """Whether a thread has the device."""
        self._stopped = False
        self._limited_threads: set[int] = set()
        """Threads whose torch operations have `torch_threads` threads."""
        self._loops: dict[asyncio.AbstractEventLoop, LoopCallback] = {}
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    @property
    def queued_windows(self) -> dict[str, int]:
        """Queued windows by lane; an explanation counts once for each of its passes."""
        return {lane.name.lower(): passes for lane, passes in self._queue.passes.items()}

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
            rejected = [(job, error) for job in jobs if (error := self._put(job)) is not None]
            if len(rejected) < len(jobs):
                self._ready.notify()
        return rejected

    def _put(self, job: Job[Any]) -> GlasstapeError | None:
        if self._stopped:
            return _draining()
        return self._queue.put(job, self._throughput)

    def run_if_idle(
        self, work: Work, inputs: Arrays, lane: Lane, queue_seconds: float
    ) -> tuple[Arrays, float] | None:
        """Compute rows on the calling thread if no thread has the device and no job waits for it.

        Args:
            work: to do.
            inputs: of the work, each (n, ...); few enough that others may wait for them.
            lane: for the metrics.
            queue_seconds: time that the oldest row has waited, for the metrics.

        Returns:
            The outputs and the seconds that they took; None if the device is not idle: `submit` the rows.

        Raises:
            Exception: the work failed.
        """
        with self._ready:
            if self._busy or self._stopped or self._queue:
                return None
            self._busy = True
            self._queue.note_batch(lane)
        try:
            return self._run(work, inputs, lane, queue_seconds)
        finally:
            self._release()

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
        while (batch := self._take_batch()) is not None:
            try:
                if batch:
                    self._compute(batch)
            finally:
                self._release()

    def _take_batch(self) -> list[Slice] | None:
        """Wait for the device and for jobs, and take both; None once the engine has stopped."""
        with self._ready:
            while self._busy or not (self._stopped or self._queue):
                self._ready.wait()
            if self._stopped:
                for job in self._queue.clear():
                    job.callback.failed([job], _draining())
                return None
            self._busy = True
            return self._queue.next_batch()

    def _release(self) -> None:
        with self._ready:
            self._busy = False
            if self._stopped or self._queue:
                self._ready.notify()

    def _compute(self, batch: list[Slice]) -> None:
        started = time.monotonic()
        work = batch[0][0].work
        inputs = concatenated([_slice(job.inputs, first, end) for job, first, end in batch])
        for job, _, _ in batch:
            job.started = job.started or started
        queue_seconds = started - min(job.queued for job, _, _ in batch)
        try:
            outputs, seconds = self._run(work, inputs, batch[0][0].lane, queue_seconds)
        except Exception as error:
            log.exception("a batch of %d rows failed", len(inputs[0]))
            for job, _, _ in batch:
                job.call.canceled = True  # drop its remaining rows
                job.callback.failed([job], error)
            return
        for job, _, _ in batch:
            job.compute_seconds += seconds
        self._deliver(batch, inputs, outputs)

    def _run(self, work: Work, inputs: Arrays, lane: Lane, queue_seconds: float) -> tuple[Arrays, float]:
        """Compute rows on a thread that has the device; return the outputs and the seconds that they took.

        Raises:
            AcceleratorError: the device failed, and cannot be restarted.
        """
        thread = threading.get_ident()
        if thread not in self._limited_threads:
            torch.set_num_threads(self._torch_threads)
            self._limited_threads.add(thread)
        started = time.monotonic()
        try:
            outputs = work.run(inputs)
        except torch.AcceleratorError:
            if self._restart_device is None:
                raise
            log.exception("the device failed")
            self._restart_device()
            outputs = work.run(inputs)
        seconds = time.monotonic() - started
        if self._observer:
            self._observer.computed(lane, work.label, len(inputs[0]), queue_seconds, seconds)
        self._throughput += 0.2 * (len(inputs[0]) * work.passes / max(seconds, 1e-6) - self._throughput)
        return outputs, seconds

    def _deliver(self, batch: Sequence[Slice], inputs: Arrays, outputs: Arrays) -> None:
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


def _draining() -> Unavailable:
    return Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)


def _slice(arrays: Arrays, first: int, end: int) -> Arrays:
    whole = first == 0 and end == len(arrays[0])
    return arrays if whole else tuple(array[first:end] for array in arrays)


def _call_back(callback: JobCallback[Any], jobs: Sequence[Job[Any]], inputs: Arrays, outputs: Arrays) -> None:
    try:
        callback.finished(jobs, inputs, outputs)
    except Exception as error:  # a failing callback must not end the device thread
        log.exception("callback of %d jobs failed", len(jobs))
        callback.failed(jobs, error)
