"""The journal: an append-only, numbered log of events that one owner writes and any number of readers follow."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.signals.journal.batch import EventBatch
from glasstape_server.signals.journal.records import Bounds, Position, Record


class Fenced(Exception):
    """The journal does not end where the writer expected: another writer appended. Nothing was stored."""


class AppendUnknown(Exception):
    """No acknowledgment came: the batch is stored or it is not. Append the very same batch again."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One step of a journal: records that were committed together, or the beginning of an epoch."""

    epoch: bytes
    """The epoch that holds from here on."""
    records: Sequence[Record]
    """In order; none: only the epoch is new."""


class Journal(Protocol):
    """A journal. Its methods run on the event loop, and none of them blocks it.

    It numbers events, keeps their chain, and owns epoch and secret. Records are in the `History` of this server
    before `tail` yields them.
    """

    @property
    def degraded_reason(self) -> str:
        """Why a loss of the newest events would go undetected, or new ones are not seen; empty: all is well."""
        ...

    @property
    def secret(self) -> bytes:
        """Key of the tags of resume tokens, the same for the life of the journal."""
        ...

    @property
    def bounds(self) -> Bounds:
        """Epoch, first and last sequence as last seen; never touches a store."""
        ...

    async def append(self, batch: EventBatch, expected: int) -> Position:
        """Append a batch, whole or not at all, and return the position after it once it is durable.

        Appending the very same batch again, with the same `expected`, stores it once.

        Args:
            batch: the events; they get the sequences after `expected`.
            expected: sequence of the event that the batch must follow, the journal's newest: the fence.

        Raises:
            Fenced: the journal ends elsewhere, and not with this batch.
            AppendUnknown: no acknowledgment came.
            ResourceExhausted: the storage is full (STORAGE_FULL); nothing was stored.
        """
        ...

    def tail(self, after: int) -> AsyncGenerator[Commit, None]:
        """Yield the commits after a sequence, in order, then each new one, without end.

        Sequences are consecutive unless events after `after` were removed meanwhile: then the first record is
        not the next one.
        """
        ...

    async def confirm_loss(self, epoch: bytes, position: Position) -> bool:
        """Return whether a position that the journal once gave out is no longer part of it, for good.

        Only the owner of the journal can tell, and it begins a new epoch first, unless `epoch` is over already.
        A follower returns False: it may lag. Where removed events were, the answer is False too.

        Args:
            epoch: the epoch in which the position was given out.
            position: as a resume token holds it.

        Raises:
            DataLoss: what is stored there is damaged.
            ResourceExhausted: the new epoch cannot be stored.
        """
        ...

    async def prune_before(self, earliest: int) -> None:
        """Remove events before `earliest`. The newest event always stays: it carries the numbering on."""
        ...

    def close(self) -> None:
        """Finish what is being written, then close the journal."""
        ...
