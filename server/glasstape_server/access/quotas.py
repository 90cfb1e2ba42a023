"""How much one caller may ask for: streams at once, windows a second, explanation passes a minute."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.values import Principal


@dataclass(frozen=True, slots=True)
class Limits:
    """Of each caller; 0: none."""

    streams: int = 0
    windows_per_second: float = 0.0
    explain_passes_per_minute: float = 0.0


@dataclass(slots=True)
class _Bucket:
    """A token bucket that may go into debt for one call, so that a large one is slow and not impossible."""

    rate: float
    """Units a second."""
    depth: float
    level: float = field(init=False)
    seen: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self.seen = self.depth, time.monotonic()

    def take(self, units: float) -> float:
        """Seconds to wait before trying again; 0: taken."""
        now = time.monotonic()
        self.level = min(self.depth, self.level + (now - self.seen) * self.rate)
        self.seen = now
        if self.level <= 0:
            return -self.level / self.rate + 1 / self.rate
        self.level -= units
        return 0.0


class Quotas:
    """Counts for every caller by itself. Safe on any thread."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._windows: dict[str, _Bucket] = {}
        self._passes: dict[str, _Bucket] = {}
        self._streams: dict[str, int] = {}

    def windows(self, principal: Principal, count: int) -> None:
        """Account for windows to predict.

        Raises:
            ResourceExhausted: too many; says when to come back.
        """
        rate = self.limits.windows_per_second
        if rate:
            self._take(self._windows, principal, rate, count, f"{rate:g} windows a second")

    def passes(self, principal: Principal, count: int) -> None:
        """Account for passes of the network that an explanation takes.

        Raises:
            ResourceExhausted: too many; says when to come back.
        """
        rate = self.limits.explain_passes_per_minute
        if rate:
            self._take(self._passes, principal, rate / 60, count, f"{rate:g} passes of explanations a minute")

    @contextmanager
    def stream(self, principal: Principal) -> Iterator[None]:
        """Hold one stream.

        Raises:
            ResourceExhausted: that would be too many.
        """
        most = self.limits.streams
        with self._lock:
            held = self._streams.get(principal.id, 0)
            if most and held >= most:
                raise ResourceExhausted(
                    "QUOTA_EXCEEDED",
                    f"{principal.name} holds {held} streams, the most allowed",
                    metadata={"limit": str(most), "quota": "streams"},
                    retry_after=2.0,
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
        self, buckets: dict[str, _Bucket], principal: Principal, rate: float, count: int, rule: str
    ) -> None:
        with self._lock:
            bucket = buckets.setdefault(principal.id, _Bucket(rate, depth=max(rate, 1.0)))
            wait = bucket.take(count)
        if wait:
            raise ResourceExhausted(
                "QUOTA_EXCEEDED",
                f"{principal.name} may have {rule}; come back in {wait:.2f} s",
                metadata={"limit": rule},
                retry_after=wait,
            )
