"""Work that records its batches and can hold the device, and helpers that await the engine's queue."""

import asyncio
import threading
from dataclasses import dataclass, field

import numpy as np
from glasstape_server.domain.calls import Call
from glasstape_server.engine.job import Lane


@dataclass(eq=False)
class RecordingWork:
    """Sum the cells of each window."""

    label = "recording"
    passes: int = 1
    batches: list = field(default_factory=list)
    """First cells of the rows of each batch."""
    started: threading.Event = field(default_factory=threading.Event)
    """Set when the first batch is on the device."""
    release: threading.Event = field(default_factory=threading.Event)
    """DatasetExamples block until this is set."""
    fail: bool = False

    @classmethod
    def released(cls, **options):
        work = cls(**options)
        work.release.set()
        return work

    def run(self, inputs):
        (windows,) = inputs
        self.started.set()
        assert self.release.wait(30)
        self.batches.append(windows[:, 0, 0].tolist())
        if self.fail:
            raise ValueError("broken")
        return (windows.sum((1, 2)),)


def windows_of(*values):
    """Windows whose cells all have one value each, (n, 6, 8)."""
    return np.stack([np.full((6, 8), value, np.float32) for value in values])


async def hold_device(engine, lane=Lane.INTERACTIVE):
    """Occupy the device; return the event that releases it, and the task to await then."""
    work = RecordingWork()
    task = asyncio.create_task(engine.run(work, windows_of(0), lane, Call()))
    assert await asyncio.to_thread(work.started.wait, 30)
    return work.release, task


async def queued(engine, windows):
    """Wait until so many windows are queued, all lanes together."""
    async with asyncio.timeout(30):
        while sum(engine.queued_windows.values()) != windows:  # noqa: ASYNC110  # has no event
            await asyncio.sleep(0.001)
