"""What a stream says, and what a subscriber asks for: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from glasstape_server.signals.delivery.burst import Page
from glasstape_server.signals.journal.log import Bounds, Record, Selection


class Start(IntEnum):
    """Where a stream without a token begins. Values as on the wire."""

    SNAPSHOT = 1
    LIVE = 2
    EARLIEST = 3


class OpenResult(IntEnum):
    """How a token was taken. Values as on the wire."""

    STARTED = 1
    RESUMED = 2
    RESET = 3


class ResetReason(IntEnum):
    """Why a token could not be used. Values as on the wire."""

    NONE = 0
    EPOCH_CHANGED = 1
    HISTORY_LOST = 2


class GoodbyeReason(IntEnum):
    """Why a stream is ended. Values as on the wire."""

    DRAIN = 1
    EPOCH_CHANGED = 2


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a subscriber asks for."""

    selection: Selection = field(default_factory=Selection)
    start: Start = Start.SNAPSHOT
    resume_token: bytes = b""
    every_event: bool = False
    conflation_seconds: float = 0.1
    heartbeat_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Opened:
    """First message."""

    result: OpenResult
    reason: ResetReason
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Batch:
    """Events, oldest first."""

    page: Page
    conflated: int = 0
    snapshot: bool = False

    @property
    def records(self) -> Sequence[Record]:
        """The page's."""
        return self.page.records


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing else happened."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequences that can no longer be delivered."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Last message."""

    reason: GoodbyeReason


Body = Opened | Batch | Heartbeat | Gap | Goodbye


@dataclass(frozen=True, slots=True)
class Message:
    """One message, with the position behind it: all up to `sequence` was delivered or declared."""

    sequence: int
    token: bytes
    """Empty until a snapshot is complete."""
    body: Body
