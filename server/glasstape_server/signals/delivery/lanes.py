"""The two lanes of one subscriber: what must be delivered, and what counts only while it is new.

Lossless: buys and outcomes, first in first out, bounded. Conflated: the latest confidence of each series.
Both are queued as the batches they came in, so that subscribers that keep up share what they are sent.
"""

from glasstape_server.signals.delivery.record_batch import Page, RecordBatch

BATCHES_KEPT = 4
"""Batches that are queued as they are; beyond that, replaced confidences are dropped at once."""


class Lanes:
    """What is queued for one subscriber. With `every_event` confidences are lossless too."""

    def __init__(self, limit: int, *, every_event: bool) -> None:
        self._limit = limit
        self._every_event = every_event
        self._batches: list[RecordBatch] = []
        self._lossless = 0
        self._replaced = 0

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def overflowed(self) -> bool:
        """Whether more lossless records are queued than the limit allows."""
        return self._lossless > self._limit

    def offer(self, batch: RecordBatch) -> None:
        """Add records; sequences must rise from call to call."""
        if not batch.records:
            return
        self._batches.append(batch)
        self._lossless += len(batch.records) if self._every_event else batch.lossless
        if len(self._batches) > BATCHES_KEPT:
            self._batches = [self._folded()]

    def take(self) -> tuple[list[Page], int]:
        """Empty both lanes; return the records by sequence, and how many were replaced since the last call."""
        if not self._batches:
            return [], 0
        taken = self._folded().pages
        replaced, self._replaced, self._lossless = self._replaced, 0, 0
        self._batches = []
        return taken, replaced

    def _folded(self) -> RecordBatch:
        first, *more = self._batches
        every = (
            RecordBatch([record for batch in self._batches for record in batch.records]) if more else first
        )
        if self._every_event:
            return every
        self._replaced += len(every.records) - len(every.conflated.records)
        return every.conflated
