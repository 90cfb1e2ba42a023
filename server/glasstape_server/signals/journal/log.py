"""The journal as the rest of the feed sees it: an append-only log of encoded events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from glasstape_server.domain.values import Float32s, Kind

Key = tuple[str, str]
"""Symbol and interval."""


@dataclass(frozen=True, slots=True)
class Record:
    """One journalled event: what filters need, and the bytes that subscribers get."""

    sequence: int
    kind: Kind
    symbol: str
    interval: str
    model_name: str
    winning: float
    """Winning probability, 0-1."""
    expire_time: int
    """Market time after which a buy is old, microseconds."""
    payload: bytes
    """The encoded event."""
    chain: bytes = b""
    """Hash over this and all earlier events of the epoch, 8 bytes; set by the log."""

    def linked(self, chain: bytes) -> "Record":
        """This record with its place in the chain."""
        return Record(
            self.sequence, self.kind, self.symbol, self.interval, self.model_name, self.winning,
            self.expire_time, self.payload, chain,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to append, with what is kept beside it."""

    record: Record
    digest: str = ""
    """Model of a confidence."""
    window: Float32s | None = None
    """The exact input of a confidence, (time, feature)."""
    resolves: int = 0
    """Sequence of the confidence that an outcome resolves."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the journal begins and ends."""

    epoch: bytes
    earliest: int
    """Oldest sequence held; head + 1 when empty."""
    head: int
    """Newest sequence; 0: none yet."""
    chain: bytes
    """Chain hash at the head."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records a reader wants."""

    symbols: frozenset[str] | None = None
    kinds: frozenset[Kind] | None = None
    min_confidence: float = 0.0

    def admits(self, record: Record) -> bool:
        """Whether a record passes. Outcomes pass whatever their confidence was."""
        if self.kinds is not None and record.kind not in self.kinds:
            return False
        if record.winning < self.min_confidence and record.kind is not Kind.OUTCOME:
            return False
        return self.symbols is None or record.symbol in self.symbols


class EventLog(Protocol):
    """An event log. `append` has one caller; everything else may run on any thread.

    What `append` returned is durable; nothing is readable before.
    """

    trouble: str
    """What would go unnoticed if the log lost its end now; empty: nothing."""

    @property
    def secret(self) -> bytes:
        """Key of the tokens' tags."""
        ...

    def bounds(self) -> Bounds:
        """Epoch, first and last sequence."""
        ...

    def append(self, entries: Sequence[Entry], progress: Mapping[Key, int]) -> list[Record]:
        """Append entries with consecutive sequences from head + 1, in one transaction.

        Args:
            entries: what to append.
            progress: close time of the newest processed bar of each series, stored with them.

        Raises:
            ResourceExhausted: the disk refused; nothing was appended.
        """
        ...

    def read(self, after: int, limit: int) -> list[Record]:
        """Up to `limit` records behind `after`, in order."""
        ...

    def page(self, selection: Selection, first: int, last: int, limit: int, descending: bool) -> list[Record]:
        """Up to `limit` matching records between two sequences, both included."""
        ...

    def chain_at(self, sequence: int) -> bytes | None:
        """Chain hash at a sequence; None if it is not held."""
        ...

    def window(self, sequence: int) -> tuple[str, bytes] | None:
        """Model digest and window bytes of a confidence or its buy; None if there is none."""
        ...

    def record(self, sequence: int) -> Record | None:
        """One record; None if it is not held."""
        ...

    def latest(self, now: int) -> list[Record]:
        """The newest confidence of each symbol, interval and model, and the buys that expire after `now`."""
        ...

    def progress(self) -> dict[Key, int]:
        """Close time of the newest processed bar of each series."""
        ...

    def unresolved(self) -> list[Record]:
        """Confidences without an outcome, in order."""
        ...

    def begin_epoch(self, lost: bytes) -> bool:
        """Start a new epoch: tokens of the old one no longer resume. False if `lost` is over already."""
        ...

    def compact(self, earliest: int) -> None:
        """Remove records before `earliest`."""
        ...

    def close(self) -> None:
        """Close the log."""
        ...
