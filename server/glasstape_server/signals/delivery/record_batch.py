"""Records that were published together, as all streams with one filter get them: shared, and encoded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.records import Record, Selection

PAGE = 4096
"""Records read from the journal at once, and sent in one message at most."""

ConflationKey = tuple[str, str, str]
"""Symbol, interval and model name."""


def conflation_key(record: Record) -> ConflationKey:
    """Return what a confidence is conflated by."""
    return (record.symbol, record.interval, record.model.name)


@dataclass(slots=True, eq=False)
class Page:
    """Records of one message, oldest first."""

    records: Sequence[Record]
    encoded: bytes | None = None
    """The records' events as a message holds them, kept here by the first encoder of the page."""
    message: tuple[object, bytes] | None = None
    """The last message with the page, with what it states beside the page: subscribers that keep up send the same."""


class RecordBatch:
    """Records by sequence. Immutable: subscribers share it."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = records

    @classmethod
    def of(cls, records: Sequence[Record], selection: Selection) -> "RecordBatch":
        """Return those of `records` that a selection admits."""
        return cls([record for record in records if selection.admits(record)])

    @cached_property
    def lossless(self) -> int:
        """How many must be delivered: buys and outcomes."""
        return sum(record.kind is not Kind.CONFIDENCE for record in self.records)

    @cached_property
    def conflated(self) -> "RecordBatch":
        """The batch without confidences that a later one of their series replaces."""
        newest = {conflation_key(r): r.sequence for r in self.records if r.kind is Kind.CONFIDENCE}
        if len(newest) + self.lossless == len(self.records):
            return self
        return RecordBatch(
            [
                r
                for r in self.records
                if r.kind is not Kind.CONFIDENCE or newest[conflation_key(r)] == r.sequence
            ]
        )

    @cached_property
    def pages(self) -> list[Page]:
        """The records in messages."""
        return pages(self.records)


def pages(records: Sequence[Record]) -> list[Page]:
    """Return records in pages of at most `PAGE`."""
    return [Page(records[first : first + PAGE]) for first in range(0, len(records), PAGE)]
