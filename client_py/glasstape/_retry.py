"""Retries of calls: after UNAVAILABLE, within the timeout.

Every call of the contract is safe to repeat: those that write bars are idempotent. Streams resume instead.
"""

import random
import time

from glasstape._diagnosis import LASTING
from glasstape.errors import GlasstapeError, UnavailableError

ATTEMPTS = 5
FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0
"""Seconds between two attempts, before jitter."""


class Attempts:
    """Counts the attempts of one call within its timeout."""

    def __init__(self, timeout: float) -> None:
        self._deadline = time.monotonic() + timeout
        self._failed = 0

    @property
    def timeout(self) -> float:
        """Return the remaining seconds."""
        return max(0.001, self._deadline - time.monotonic())

    def delay_after(self, failure: GlasstapeError) -> float:
        """Return the seconds to wait before the next attempt, with jitter.

        Raises:
            GlasstapeError: the call must not be sent again.
        """
        self._failed += 1
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._failed - 1))
        delay = random.uniform(longest / 2, longest)  # noqa: S311
        last = self._failed >= ATTEMPTS or delay >= self.timeout
        if last or failure.reason in LASTING or not isinstance(failure, UnavailableError):
            raise failure from None
        return delay
