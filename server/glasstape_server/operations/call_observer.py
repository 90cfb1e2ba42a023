"""Protocol between the transports and the call metrics."""

from collections.abc import Sequence
from typing import Protocol


class CallObserver(Protocol):
    """Observer of RPCs. Called on any thread.

    Every call is reported to `started` once and to `handled` once, whatever ends it.
    """

    def started(self, method: str, count: int = 1) -> None:
        """Count `count` calls of a method, given by its path, as started."""
        ...

    def handled(self, method: str, code: str, count: int = 1) -> None:
        """Count `count` calls of a method as completed with a status code, such as NOT_FOUND."""
        ...

    def observe_latency(self, method: str, seconds: Sequence[float]) -> None:
        """Record the durations of completed unary calls of a method, seconds."""
        ...


class NullCallObserver:
    """Call observer that discards everything."""

    def started(self, method: str, count: int = 1) -> None:
        """See `CallObserver.started`."""

    def handled(self, method: str, code: str, count: int = 1) -> None:
        """See `CallObserver.handled`."""

    def observe_latency(self, method: str, seconds: Sequence[float]) -> None:
        """See `CallObserver.observe_latency`."""
