"""How long events are kept: a number of events, a number of days, or without limit."""

import time
from collections.abc import Callable
from math import ceil

from glasstape_server.domain.signals import Event, ModelRef
from glasstape_server.domain.times import DAY
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.journal import Journal
from glasstape_server.signals.journal.records import Bounds

SLACK = 0.1
"""Part of a limit by which the journal may exceed it, so that events are not removed after every burst."""
AGE_CHECK_SECONDS = 60.0
"""Between two checks of the age."""
REMOVED_AT_ONCE = 20_000
"""Events removed after one burst: more would delay the next one."""


class Retention:
    """Removes what exceeds its limits; tokens that point there answer OUT_OF_RANGE from then on."""

    def __init__(
        self,
        journal: Journal,
        readers: HistoryReaders,
        decode: Callable[[bytes, ModelRef], Event],
        *,
        keep: int = 0,
        days: float = 0.0,
        age_check_seconds: float = AGE_CHECK_SECONDS,
    ) -> None:
        """Set the limits.

        Args:
            journal: what is limited.
            readers: of its history.
            decode: the event of a payload and its model.
            keep: events to keep; 0: any number.
            days: that an event is kept after it was published; 0: any time.
            age_check_seconds: between two checks of the age.
        """
        self._journal = journal
        self._readers = readers
        self._decode = decode
        self._keep = keep
        self._age = ceil(days * DAY)  # above 0 if there is a limit
        self._age_check_seconds = age_check_seconds
        self._age_checked = float("-inf")

    async def apply(self, now: int) -> None:
        """Remove what exceeds a limit.

        Args:
            now: wall time, microseconds.
        """
        bounds = self._journal.bounds
        if self._keep and bounds.head - bounds.earliest > (1 + SLACK) * self._keep:
            await self._prune_before(bounds.head - self._keep + 1)
        if self._age and time.monotonic() - self._age_checked >= self._age_check_seconds:
            earliest = await self._readers.run_on_reader_thread(self._first_young, self._journal.bounds, now)
            if await self._prune_before(earliest):
                self._age_checked = time.monotonic()

    async def _prune_before(self, earliest: int) -> bool:
        """Remove what lies before, or some of it; return whether that was all."""
        most = self._journal.bounds.earliest + REMOVED_AT_ONCE
        if earliest > self._journal.bounds.earliest:
            await self._journal.prune_before(min(earliest, most))
        return earliest <= most

    def _first_young(self, bounds: Bounds, now: int) -> int:
        """Return the first event that is not too old, on a reader thread."""
        low, high = bounds.earliest, bounds.head
        if high < low or self._published(low) >= now - (1 + SLACK) * self._age:
            return low
        while low < high:  # publish times rise with sequences: bisect
            middle = (low + high) // 2
            if self._published(middle) < now - self._age:
                low = middle + 1
            else:
                high = middle
        return low

    def _published(self, sequence: int) -> int:
        record = self._readers.history.record(sequence)
        return self._decode(record.payload, record.model).publish_time if record is not None else 0
