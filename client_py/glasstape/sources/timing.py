"""Time as `follow` uses it: a timer that tests can replace, back-off, and the market's own clock."""

import asyncio
import logging
import random
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from glasstape.sources.errors import SourceUnavailableError
from glasstape.sources.source import Source

log = logging.getLogger(__name__)


class Timer(Protocol):
    """Monotonic time and pauses, both in seconds."""

    def monotonic(self) -> float: ...  # noqa: D102
    async def sleep(self, seconds: float) -> None: ...  # noqa: D102
    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after some seconds."""


class SystemTimer:
    """The timer of this machine."""

    def monotonic(self) -> float:
        """See `Timer`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Timer`."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """See `Timer`."""
        with suppress(TimeoutError):
            # Not wait_for: until Python 3.12 it loses a cancellation that comes together with the event.
            async with asyncio.timeout(max(0.0, seconds)):
                await event.wait()


class Backoff:
    """Exponential back-off with jitter.

    Args:
        timer: source of time.
        first: seconds before the first retry, before jitter.
        longest: largest number of seconds, before jitter.
        lasting: seconds that a connection must have lasted before the delays start at `first` again.
    """

    def __init__(
        self, timer: Timer, *, first: float = 1.0, longest: float = 60.0, lasting: float = 60.0
    ) -> None:
        self._timer = timer
        self._first, self._longest, self._lasting = first, longest, lasting
        self._failures = 0
        self._connected_at: float | None = None

    def connected(self) -> None:
        """Note that a connection works since now."""
        if self._connected_at is None:
            self._connected_at = self._timer.monotonic()

    def delay(self, retry_after: timedelta | None = None) -> float:
        """Return the seconds to wait after a failure, at least `retry_after`."""
        since, self._connected_at = self._connected_at, None
        if since is not None and self._timer.monotonic() - since >= self._lasting:
            self._failures = 0
        longest = min(self._longest, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        jittered = random.uniform(longest / 2, longest)  # noqa: S311
        return max(jittered, retry_after.total_seconds() if retry_after else 0.0)

    async def pause(self, error: SourceUnavailableError) -> None:
        """Log a failure and wait before the next attempt."""
        delay = self.delay(error.retry_after)
        log.warning("%s; retrying in %.1f s", error, delay)
        await self._timer.sleep(delay)


class MarketClock:
    """The market's time, extrapolated with monotonic time between two requests.

    This machine's wall clock is not used, so that its errors do not matter.
    """

    def __init__(self, source: Source, timer: Timer) -> None:
        self._source, self._timer = source, timer
        self._base = datetime.now(UTC)
        self._at = timer.monotonic()

    async def sync(self) -> datetime:
        """Request the market's time and return it: what closed until then is complete.

        Raises:
            SourceUnavailableError: retrying may help.
        """
        now = await self._source.now()
        self._base, self._at = now, self._timer.monotonic()
        return now

    def estimate(self) -> datetime:
        """Return the extrapolated market time; call `sync` before it proves anything."""
        return self._base + timedelta(seconds=self._timer.monotonic() - self._at)
