"""Where in a tape a player is, and how fast it goes."""

import threading
import time

from glasstape._session.reading import Tape
from glasstape.errors import InvalidRequestError

SLOWEST, FASTEST = 0.01, 100.0
SHORTEST_LAP = 0.1
"""Seconds: a loop of an empty moment would be a flood."""


class Playback:
    """A tape and where in it we are: what the server's owner and its handlers share."""

    def __init__(self, tape: Tape, speed: float, loop: bool) -> None:
        self.tape, self.loop = tape, loop
        self.stopped = threading.Event()
        self._speed = _checked(speed)
        self._lock = threading.Lock()
        self._anchor: tuple[float, float] | None = None

    @property
    def seconds(self) -> float:
        """Length of the tape; a lap of a loop is never shorter than this."""
        return max(self.tape.responses[-1][0], SHORTEST_LAP)

    @property
    def speed(self) -> float:
        """How many times as fast as it was."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        checked = _checked(speed)
        with self._lock:
            if self._anchor is not None:
                self._anchor = (time.monotonic(), self._elapsed())
            self._speed = checked

    @property
    def elapsed(self) -> float:
        """Seconds that have been played."""
        with self._lock:
            return self._elapsed()

    def begin(self) -> None:
        """Time runs from the first call on."""
        with self._lock:
            if self._anchor is None:
                self._anchor = (time.monotonic(), 0.0)

    def _elapsed(self) -> float:
        if self._anchor is None:
            return 0.0
        since, position = self._anchor
        return position + (time.monotonic() - since) * self._speed


def _checked(speed: float) -> float:
    if not SLOWEST <= speed <= FASTEST:
        raise InvalidRequestError.field("speed", f"must be {SLOWEST:g}-{FASTEST:g}, is {speed:g}")
    return speed
