"""The two lanes of one subscriber: what must be delivered, and what counts only while it is new.

Lossless: buys and outcomes, first in first out, bounded. Conflated: the latest confidence of each series.
Both are queued as the bursts they came in, so that subscribers that keep up share what they are sent.
"""

from glasstape_server.signals.delivery.burst import Burst, Page

BURSTS_KEPT = 4
"""Bursts that are queued as they are; beyond that, replaced confidences are dropped at once."""


class Lanes:
    """What is queued for one subscriber. With `every_event` confidences are lossless too."""

    def __init__(self, limit: int, *, every_event: bool) -> None:
        self._limit = limit
        self._every_event = every_event
        self._bursts: list[Burst] = []
        self._lossless = 0
        self._replaced = 0

    def __bool__(self) -> bool:
        return bool(self._bursts)

    @property
    def overflowed(self) -> bool:
        """Whether more lossless records are queued than the limit allows."""
        return self._lossless > self._limit

    def offer(self, burst: Burst) -> None:
        """Add records; sequences must rise from call to call."""
        if not burst.records:
            return
        self._bursts.append(burst)
        self._lossless += len(burst.records) if self._every_event else burst.lossless
        if len(self._bursts) > BURSTS_KEPT:
            self._bursts = [self._folded()]

    def take(self) -> tuple[list[Page], int]:
        """Empty both lanes; return the records by sequence, and how many were replaced since the last call."""
        if not self._bursts:
            return [], 0
        taken = self._folded().pages
        replaced, self._replaced, self._lossless = self._replaced, 0, 0
        self._bursts = []
        return taken, replaced

    def _folded(self) -> Burst:
        first, *more = self._bursts
        every = Burst([record for burst in self._bursts for record in burst.records]) if more else first
        if self._every_event:
            return every
        self._replaced += len(every.records) - len(every.conflated.records)
        return every.conflated
