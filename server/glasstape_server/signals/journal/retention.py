"""How long events are kept: so many, so many days, or for ever."""

import time
from collections.abc import Callable

from glasstape_server.domain.values import DAY, Event
from glasstape_server.signals.journal.log import EventLog

SLACK = 0.1
"""Part of the limit by which the journal may grow beyond it, so that it is not cut at every burst."""
LOOK_SECONDS = 60.0
"""Between two looks at the age."""
AT_ONCE = 20_000
"""Events removed behind one burst: more would keep the next one waiting."""


class Retention:
    """Removes what is beyond its limits; tokens that point there answer OUT_OF_RANGE from then on."""

    def __init__(
        self, log: EventLog, decode: Callable[[bytes], Event], *, keep: int = 0, days: float = 0.0
    ) -> None:
        """Set the limits.

        Args:
            log: the journal.
            decode: an event of its payload.
            keep: events to keep; 0: any number.
            days: that an event is kept after it was published; 0: any time.
        """
        self._log = log
        self._decode = decode
        self._keep = keep
        self._age = int(days * DAY)
        self._looked = float("-inf")

    def apply(self, now: int) -> None:
        """Remove what is beyond a limit.

        Args:
            now: wall time, microseconds.
        """
        bounds = self._log.bounds()
        if self._keep and bounds.head - bounds.earliest > (1 + SLACK) * self._keep:
            self._compact(bounds.head - self._keep + 1)
        if self._age and time.monotonic() - self._looked >= LOOK_SECONDS and self._remove_old(now):
            self._looked = time.monotonic()

    def _compact(self, earliest: int) -> bool:
        """Remove what lies before, or some of it; whether that was all."""
        most = self._log.bounds().earliest + AT_ONCE
        self._log.compact(min(earliest, most))
        return earliest <= most

    def _remove_old(self, now: int) -> bool:
        """Remove what is too old, or some of it; whether that was all."""
        bounds = self._log.bounds()
        if bounds.head < bounds.earliest or self._published(bounds.earliest) >= now - (1 + SLACK) * self._age:
            return True
        low, high = bounds.earliest, bounds.head  # publish times grow with sequences: look in the middle
        while low < high:
            middle = (low + high) // 2
            if self._published(middle) < now - self._age:
                low = middle + 1
            else:
                high = middle
        return self._compact(low)

    def _published(self, sequence: int) -> int:
        record = self._log.record(sequence)
        return self._decode(record.payload).publish_time if record is not None else 0
