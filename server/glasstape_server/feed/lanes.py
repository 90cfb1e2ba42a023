"""The two lanes of one subscriber: what must arrive, and what only counts while it is new."""

from collections import deque
from heapq import merge
from operator import attrgetter

from glasstape_server.domain import Kind
from glasstape_server.feed.log import Record

SeriesKey = tuple[str, str, str]
"""Symbol, interval and model name."""


def series_key(record: Record) -> SeriesKey:
    """What a confidence is conflated by."""
    return (record.symbol, record.interval, record.model_name)


class Lanes:
    """Lossless: buys and outcomes, first in first out, bounded. Conflated: the latest confidence of each key.

    With `every_event` confidences are lossless too.
    """

    def __init__(self, limit: int, *, every_event: bool) -> None:
        self._limit = limit
        self._every_event = every_event
        self._lossless: deque[Record] = deque()
        self._conflated: dict[SeriesKey, Record] = {}
        self._replaced = 0

    def __bool__(self) -> bool:
        return bool(self._lossless or self._conflated)

    @property
    def overflowed(self) -> bool:
        """Whether more lossless records wait than may."""
        return len(self._lossless) > self._limit

    def offer(self, record: Record) -> None:
        """Add a record; sequences must rise from call to call."""
        if self._every_event or record.kind is not Kind.CONFIDENCE:
            self._lossless.append(record)
            return
        key = series_key(record)
        # Taken out and put in again, so that the dict stays in order of sequence.
        self._replaced += self._conflated.pop(key, None) is not None
        self._conflated[key] = record

    def take(self) -> tuple[list[Record], int]:
        """Empty both lanes: records by sequence, and how many were replaced since the last time."""
        records = list(merge(self._lossless, self._conflated.values(), key=attrgetter("sequence")))
        replaced, self._replaced = self._replaced, 0
        self._lossless.clear()
        self._conflated.clear()
        return records, replaced
