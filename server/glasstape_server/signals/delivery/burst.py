"""Records that were published together, as everybody with one filter gets them: shared, and encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from glasstape_server.domain.values import Kind
from glasstape_server.signals.journal.log import Record, Selection

PAGE = 4096
"""Records read from the journal at once, and sent in one message at most."""

SeriesKey = tuple[str, str, str]
"""Symbol, interval and model name."""


def series_key(record: Record) -> SeriesKey:
    """What a confidence is conflated by."""
    return (record.symbol, record.interval, record.model_name)


@dataclass(slots=True, eq=False)
class Page:
    """Records of one message, oldest first."""

    records: Sequence[Record]
    encoded: bytes | None = None
    """The records' events as a message has them, kept here by whoever encodes the page first."""


class Burst:
    """Records by sequence. Nothing here changes: subscribers share it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @classmethod
    def of(cls, records: Sequence[Record], selection: Selection) -> "Burst":
        """Those that a selection admits."""
        return cls([record for record in records if selection.admits(record)])

    @cached_property
    def lossless(self) -> int:
        """How many must arrive: buys and outcomes."""
        return sum(record.kind is not Kind.CONFIDENCE for record in self.records)

    @cached_property
    def conflated(self) -> "Burst":
        """Without confidences that a later one of their series replaces."""
        newest = {series_key(r): r.sequence for r in self.records if r.kind is Kind.CONFIDENCE}
        if len(newest) + self.lossless == len(self.records):
            return self
        kept = [
            r for r in self.records if r.kind is not Kind.CONFIDENCE or newest[series_key(r)] == r.sequence
        ]
        return Burst(kept)

    @cached_property
    def pages(self) -> list[Page]:
        """The records in messages."""
        return pages(self.records)


def pages(records: Sequence[Record]) -> list[Page]:
    """Records in pages of at most `PAGE`."""
    return [Page(records[first : first + PAGE]) for first in range(0, len(records), PAGE)]
