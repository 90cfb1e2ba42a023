"""Quotas of each caller: streams at once, windows per second, explanation passes per minute."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.values import Principal

STREAM_RETRY_SECONDS = 2.0
"""Retry delay of a caller with too many streams."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of each caller; 0: no limit."""

    streams: int = 0
    windows_per_second: float = 0.0
    explain_passes_per_minute: float = 0.0


@dataclass(slots=True)
class _Bucket:
    """A token bucket that may go into debt for one call, so that a large call is slow and not impossible."""

    rate: float
    """Units per second."""
    depth: float
    level: float
    seen: float
    """Time of the last change, in seconds."""

    def take(self, units: float, now: float) -> float:
        """Take units; return the seconds to wait before a retry, 0 if they were taken."""
        self.level = min(self.depth, self.level + (now - self.seen) * self.rate)
        self.seen = now
        if self.level <= 0:
            return -self.level / self.rate + 1 / self.rate
        self.level -= units
        return 0.0


class Quotas:
    """Accounts for each caller separately. Safe on any thread.

    Args:
        limits: of each caller.
        clock: seconds that never go back.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Bucket] = {}
        self._passes: dict[str, _Bucket] = {}
        self._streams: dict[str, int] = {}

    def windows(self, principal: Principal, count: int) -> None:
        """Account for windows to predict.

        Raises:
            ResourceExhausted: the quota is exceeded; holds the delay after which to retry.
        """
        rate = self.limits.windows_per_second
        if rate:
            self._take(self._windows, principal, rate, count, f"{rate:g} windows per second")

    def passes(self, principal: Principal, count: int) -> None:
        """Account for passes of the network that an explanation takes.

        Raises:
            ResourceExhausted: the quota is exceeded; holds the delay after which to retry.
        """
        rate = self.limits.explain_passes_per_minute
        if rate:
            self._take(self._passes, principal, rate / 60, count, f"{rate:g} explanation passes per minute")

    @contextmanager
    def stream(self, principal: Principal) -> Iterator[None]:
        """Hold one stream.

        Raises:
            ResourceExhausted: the caller holds as many as the quota allows.
        """
        limit = self.limits.streams
        with self._lock:
            held = self._streams.get(principal.id, 0)
            if limit and held >= limit:
                raise ResourceExhausted(
                    "QUOTA_EXCEEDED",
                    f"{principal.name} holds {held} streams, the quota is {limit}",
                    metadata={"limit": str(limit), "quota": "streams"},
                    retry_after=STREAM_RETRY_SECONDS,
                )
            self._streams[principal.id] = held + 1
        try:
            yield
        finally:
            with self._lock:
                self._streams[principal.id] -= 1
                if not self._streams[principal.id]:
                    del self._streams[principal.id]

    def _take(
        self, buckets: dict[str, _Bucket], principal: Principal, rate: float, count: int, quota: str
    ) -> None:
        with self._lock:
            now, depth = self._clock(), max(rate, 1.0)
            bucket = buckets.setdefault(principal.id, _Bucket(rate, depth, depth, now))
            wait = bucket.take(count, now)
        if wait:
            raise ResourceExhausted(
                "QUOTA_EXCEEDED",
                f"the quota of {principal.name} is {quota}; retry after {wait:.2f} s",
                metadata={"limit": quota},
                retry_after=wait,
            )
