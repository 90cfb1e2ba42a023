"""Schedule of a command that runs again and again, whatever its last run did."""

from collections.abc import Callable
from typing import NoReturn


def repeat(
    every: float, run: Callable[[float], None], clock: Callable[[], float], wait: Callable[[float], None]
) -> NoReturn:
    """Run at once, and then whenever a period has passed since the last run began.

    A run that takes longer than a period is followed by the next one at once; periods that it missed are left out.

    Args:
        every: period, seconds.
        run: does the work and reports its own failures; called with the time at which the next run is due.
        clock: returns the time, seconds.
        wait: waits for so many seconds.
    """
    while True:
        due = clock() + every
        run(due)
        wait(max(0.0, due - clock()))
