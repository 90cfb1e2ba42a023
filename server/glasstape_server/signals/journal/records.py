"""The values that a journal and its readers exchange."""

from dataclasses import dataclass
from typing import NamedTuple

from glasstape_server.domain.signals import Kind, ModelRef


class Position(NamedTuple):
    """A place in the journal: directly after one event."""

    sequence: int
    """Sequence of that event; 0 before the first."""
    chain: bytes
    """Chain hash at that event, 8 bytes."""


class Record(NamedTuple):
    """One journaled event: the columns that filters need, and the bytes that subscribers get."""

    sequence: int
    event_id: bytes
    """16 bytes, of what was decided: the same on every server and at every attempt."""
    kind: Kind
    symbol: str
    interval: str
    model: ModelRef
    winning: float
    """Winning probability, 0-1."""
    expire_time: int
    """Market time after which a buy is old, microseconds; 0 for an outcome."""
    payload: bytes
    """The encoded event."""
    chain: bytes
    """Hash over this and all earlier events of the journal, 8 bytes."""

    @property
    def position(self) -> Position:
        """The place directly after this event."""
        return Position(self.sequence, self.chain)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a journal begins and ends."""

    epoch: bytes
    """Id of the journal's history, 8 bytes."""
    earliest: int
    """Oldest sequence held; head + 1 when empty."""
    head: int
    """Newest sequence; 0: none yet."""
    chain: bytes
    """Chain hash at the head."""

    @property
    def end(self) -> Position:
        """The place directly after the newest event."""
        return Position(self.head, self.chain)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records a reader wants."""

    symbols: frozenset[str] | None = None
    kinds: frozenset[Kind] | None = None
    min_confidence: float = 0.0

    def admits(self, record: Record) -> bool:
        """Return whether a record passes. Outcomes pass whatever their confidence was."""
        if self.kinds is not None and record.kind not in self.kinds:
            return False
        if record.winning < self.min_confidence and record.kind is not Kind.OUTCOME:
            return False
        return self.symbols is None or record.symbol in self.symbols
