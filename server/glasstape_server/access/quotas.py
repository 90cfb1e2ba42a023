"""Quotas per caller: concurrent streams, windows per second, explanation passes per minute."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glasstape_server.domain.calls import Principal
from glasstape_server.domain.errors import ResourceExhausted

STREAM_RETRY_SECONDS = 2.0
"""Retry delay of a caller with too many streams."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per caller; 0 means no limit."""

    streams: int = 0
    windows_per_second: float = 0.0
    explain_passes_per_minute: float = 0.0


@dataclass(slots=True)
class _Bucket:
    """Token bucket that one call may overdraw, so that a call larger than the bucket is delayed, not impossible."""

    rate: float
    """Units per second."""
    depth: float
    level: float
    refilled: float
    """Time of the last refill, seconds."""

    def take(self, units: float, now: float) -> float:
        """Take units and return 0.0, or return the seconds until a retry can succeed."""
        self.level = min(self.depth, self.level + (now - self.refilled) * self.rate)
        self.refilled = now
        if self.level <= 0:
            return -self.level / self.rate + 1 / self.rate
        self.level -= units
        return 0.0


class Quotas:
    """Quotas of all callers. Safe on any thread."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with full quotas.

        Args:
            limits: per caller.
            clock: returns the time, seconds.
        """
        self.limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, _Bucket] = {}
        self._passes: dict[str, _Bucket] = {}
        self._streams: dict[str, int] = {}

    def charge_windows(self, principal: Principal, count: int) -> None:
        """Charge a caller for windows to predict.

        Raises:
            ResourceExhausted: the quota is used up; has `retry_after`.
        """
        rate = self.limits.windows_per_second
        if rate:
            self._take(self._windows, principal, rate, count, f"{rate:g} windows per second")

    def charge_passes(self, principal: Principal, count: int) -> None:
        """Charge a caller for network passes of an explanation.

        Raises:
            ResourceExhausted: the quota is used up; has `retry_after`.
        """
        rate = self.limits.explain_passes_per_minute
        if rate:
            self._take(self._passes, principal, rate / 60, count, f"{rate:g} explanation passes per minute")

    @contextmanager
    def stream(self, principal: Principal) -> Iterator[None]:
        """Count one open stream of a caller while the context is entered.

        Raises:
            ResourceExhausted: the caller has as many open streams as the limit allows.
        """
        limit = self.limits.streams
        with self._lock:
            count = self._streams.get(principal.id, 0)
            if limit and count >= limit:
                raise ResourceExhausted(
                    "QUOTA_EXCEEDED",
                    f"{principal.name} has {count} open streams, at most {limit} are allowed",
                    metadata={"limit": str(limit), "quota": "streams"},
                    retry_after=STREAM_RETRY_SECONDS,
                )
            self._streams[principal.id] = count + 1
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
            bucket = buckets.setdefault(principal.id, _Bucket(rate, depth, level=depth, refilled=now))
            wait = bucket.take(count, now)
        if wait:
            raise ResourceExhausted(
                "QUOTA_EXCEEDED",
                f"{principal.name} may use {quota}; retry after {wait:.2f} s",
                metadata={"limit": quota},
                retry_after=wait,
            )
