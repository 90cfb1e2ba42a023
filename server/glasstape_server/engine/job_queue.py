"""Queue of the engine: jobs by lane and work, taken as batches of equal work.

Lanes are strict priorities, with one exception: the feed and interactive calls alternate while both wait, so that a
flood of calls delays a close by one batch at most. A job whose call was canceled or whose deadline passed is dropped
when its turn comes.
"""

import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from glasstape_server.domain.errors import DeadlineExceeded, ResourceExhausted
from glasstape_server.engine.job import EngineObserver, Job, Lane
from glasstape_server.engine.work import Work

Slice = tuple[Job[Any], int, int]
"""Rows of a job that are in a batch: (job, first, end)."""


class JobQueue:
    """Jobs that wait for the device. The engine's lock guards it."""

    def __init__(self, capacity: int, max_batch_rows: int, observer: EngineObserver | None) -> None:
        """Make an empty queue.

        Args:
            capacity: passes that it holds.
            max_batch_rows: passes of a batch.
            observer: receives the metrics.
        """
        self._capacity = capacity
        self._max_batch_rows = max_batch_rows
        self._observer = observer
        self._lanes: list[dict[Work, deque[Job[Any]]]] = [{} for _ in Lane]
        self._queued = [0] * len(Lane)
        self._last_lane = Lane.FEED

    def __bool__(self) -> bool:
        return any(self._lanes)

    @property
    def passes(self) -> dict[Lane, int]:
        """Queued rows by lane, times the passes of each."""
        return dict(zip(Lane, self._queued, strict=True))

    def put(self, job: Job[Any], throughput: float) -> ResourceExhausted | None:
        """Queue a job; return the error of a full queue.

        Args:
            job: to queue.
            throughput: passes per second, for the delay of the retry.
        """
        cost = len(job) * job.work.passes
        ahead = sum(self._queued[: job.lane + 1])
        if ahead and ahead + cost > self._capacity * job.lane.share:
            wait = max(0.05, ahead / throughput)
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

    def next_batch(self) -> list[Slice]:
        """Take rows of equal works from the lane whose turn it is; none if all that waited there was dropped."""
        lane = self._next_lane()
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
        if batch:
            self.note_batch(lane)
        return batch

    def note_batch(self, lane: Lane) -> None:
        """Note that a batch of a lane runs, here or past the queue."""
        self._last_lane = lane

    def clear(self) -> Iterator[Job[Any]]:
        """Take every job out."""
        for lane, works in zip(Lane, self._lanes, strict=True):
            for jobs in works.values():
                yield from jobs
            works.clear()
            self._queued[lane] = 0

    def _next_lane(self) -> Lane:
        if self._lanes[Lane.FEED] and self._last_lane is Lane.INTERACTIVE:
            return Lane.FEED
        return next(lane for lane in Lane if self._lanes[lane])

    def _is_dropped(self, job: Job[Any]) -> bool:
        if job.call.canceled:
            return True
        if job.call.is_over(time.monotonic()):
            error = DeadlineExceeded("DEADLINE_EXCEEDED", "the deadline passed before the device was free")
            job.callback.failed([job], error)
            return True
        return False
