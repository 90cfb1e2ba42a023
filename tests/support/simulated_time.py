"""Simulated time that runs many times faster than wall time, and can be stopped."""

import asyncio
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

SHORTEST_SLEEP = 0.0005
"""Wall seconds; shorter pauses would only keep the processor busy."""


class SimulatedTime:
    """Market time, and the timer of a follower that lives in it."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start, self._speed = start, speed
        self._elapsed, self._since = 0.0, time.monotonic()
        self._stopped = False

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        if self._stopped:
            return self._elapsed
        return self._elapsed + (time.monotonic() - self._since) * self._speed

    async def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        while (left := end - self.monotonic()) > 0:  # noqa: ASYNC110  # time may be stopped meanwhile
            await asyncio.sleep(max(SHORTEST_SLEEP, left / self._speed))

    async def until(self, moment: datetime) -> None:
        await self.sleep((moment - self.now()).total_seconds())

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST_SLEEP, seconds / self._speed)):
                await event.wait()

    @contextmanager
    def stopped(self):
        """Stop time, for what needs wall time: the start of a process."""
        self._elapsed, self._stopped = self.monotonic(), True
        try:
            yield
        finally:
            self._since, self._stopped = time.monotonic(), False
