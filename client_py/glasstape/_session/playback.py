"""Position and speed of a replayed session."""

import threading
import time

from glasstape._scalars import number_within
from glasstape._session.reading import Tape

SLOWEST, FASTEST = 0.01, 100.0
SHORTEST_LOOP = 0.1
"""Seconds: a loop over a shorter session would flood its clients."""


class Playback:
    """A tape with its position and speed. Threads may share it."""

    def __init__(self, tape: Tape, speed: float, loop: bool) -> None:
        self.tape, self.loop = tape, loop
        self.stopped = threading.Event()
        self._speed = speed
        self._lock = threading.Lock()
        self._anchor: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Return the length of the tape, at least `SHORTEST_LOOP`."""
        return max(self.tape.responses[-1][0], SHORTEST_LOOP)

    @property
    def speed(self) -> float:
        """Return the factor on recorded speed; may be set."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = checked_speed(speed)
        with self._lock:
            if self._anchor is not None:
                self._anchor = (time.monotonic(), self._elapsed())
            self._speed = checked

    @property
    def elapsed(self) -> float:
        """Return the seconds played so far."""
        with self._lock:
            return self._elapsed()

    def begin(self) -> None:
        """Start the clock, if it does not run yet."""
        with self._lock:
            if self._anchor is None:
                self._anchor = (time.monotonic(), 0.0)

    def _elapsed(self) -> float:
        if self._anchor is None:
            return 0.0
        since, position = self._anchor
        return position + (time.monotonic() - since) * self._speed


def checked_speed(speed: float) -> float:
    """Return a factor on recorded speed.

    Raises:
        InvalidRequestError: it is no number, or out of range.
    """
    return number_within(speed, "speed", SLOWEST, FASTEST)
