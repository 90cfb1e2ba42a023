"""What one burst appends to the journal."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

from glasstape_server.domain.arrays import Float32s
from glasstape_server.domain.bars import SeriesKey
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.chain import EVENT_ID_BYTES, Columns, links
from glasstape_server.signals.journal.records import Position, Record


class EventBatch(ABC):
    """Events that are appended together or not at all, with what is stored beside them.

    The journal numbers them. Until then an event, and the confidence that a buy refers to, have positions within the
    batch, from 1; an outcome names its confidence by the sequence that it has already.
    """

    def __init__(self, windows: Float32s, progress: Mapping[SeriesKey, int]) -> None:
        """Take what is stored beside the events.

        Args:
            windows: input of each confidence among them, in their order, (confidence, time, feature).
            progress: close time of the newest processed bar of each series, microseconds.
        """
        self.windows = windows
        self.progress = progress
        self._records: tuple[Position, list[Record]] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of events."""

    @cached_property
    def event_ids(self) -> list[bytes]:
        """Id of each event, 16 bytes each; see `event_id`."""
        return self._event_ids()

    @property
    @abstractmethod
    def resolved(self) -> list[int]:
        """Sequences of the confidences that the batch's outcomes resolve."""

    def records(self, after: Position) -> list[Record]:
        """Return the events as a journal stores them after `after`; the same ones at every call."""
        if self._records is None or self._records[0] != after:
            rows = self._rows(after.sequence)
            chains = links(after.chain, rows)
            records = [Record(*row, chain) for row, chain in zip(rows, chains, strict=True)]
            self._records = (after, records)
        return self._records[1]

    @abstractmethod
    def _event_ids(self) -> list[bytes]:
        """Return the id of each event."""

    @abstractmethod
    def _rows(self, head: int) -> Sequence[Columns]:
        """Return the columns of the records after `head`, without their chain hashes."""


def event_id(digest: str, key: SeriesKey, close_time: int, kind: Kind) -> bytes:
    """Return the id of an event: BLAKE2b-128 of what makes it unique.

    Args:
        digest: of the model.
        key: the series.
        close_time: of the signal, for its outcome too, microseconds: one bar may resolve several signals.
        kind: of the event.
    """
    names = f"{digest}\0{key[0]}\0{key[1]}\0{close_time}\0{int(kind)}"
    return hashlib.blake2b(names.encode(), digest_size=EVENT_ID_BYTES).digest()
