"""Calls and callers, whatever the wire."""

import time
from dataclasses import dataclass

from glasstape_server.domain.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller."""

    id: str
    name: str
    scopes: frozenset[str] = frozenset()
    expires: float = 0.0
    """Unix time at which its credentials expire; 0: no expiry."""


ANONYMOUS = Principal("", "anonymous")
"""The caller where calls are not authenticated."""


@dataclass(slots=True, eq=False)
class Call:
    """Deadline, cancellation and caller of the work at hand."""

    deadline: float | None = None
    """`time.monotonic()` at which the call ends; None: no deadline."""
    canceled: bool = False
    """Set when the caller cancels; work that has not begun is dropped."""
    principal: Principal = ANONYMOUS

    def is_over(self, now: float) -> bool:
        """Return whether the caller waits no longer; `now` by `time.monotonic`."""
        return self.canceled or (self.deadline is not None and now >= self.deadline)

    def check_open(self) -> None:
        """Check that the caller still waits.

        Raises:
            DeadlineExceeded: the call was canceled or its deadline exceeded.
        """
        if self.is_over(time.monotonic()):
            raise DeadlineExceeded("DEADLINE_EXCEEDED", "the call was canceled or its deadline exceeded")
