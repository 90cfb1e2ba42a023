"""The messages of a stream, and the request for one: plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from glasstape_server.domain.bars import Bar
from glasstape_server.signals.delivery.record_batch import Page
from glasstape_server.signals.journal.records import Bounds, Record, Selection


class Start(IntEnum):
    """Where a stream without a token begins. Values as on the wire."""

    SNAPSHOT = 1
    LIVE = 2
    EARLIEST = 3


class OpenResult(IntEnum):
    """How a stream began. Values as on the wire."""

    STARTED = 1
    RESUMED = 2
    RESET = 3


class ResetReason(IntEnum):
    """Why a token did not resume. Values as on the wire."""

    NONE = 0
    EPOCH_CHANGED = 1
    HISTORY_LOST = 2


class GoodbyeReason(IntEnum):
    """Why a stream ends. Values as on the wire."""

    DRAIN = 1
    EPOCH_CHANGED = 2


@dataclass(frozen=True, slots=True)
class Subscription:
    """A request for a stream."""

    selection: Selection = field(default_factory=Selection)
    start: Start = Start.SNAPSHOT
    resume_token: bytes = b""
    every_event: bool = False
    conflation_seconds: float = 0.1
    heartbeat_seconds: float = 1.0
    quotes: bool = False
    """Whether bars still forming are sent, too."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The first message."""

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
        """Records of the page."""
        return self.page.records


@dataclass(frozen=True, slots=True)
class Quotes:
    """Bars still forming; not journaled, and outside the position."""

    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """No other message for the heartbeat interval; events may wait for the conflation interval."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequences that can no longer be delivered."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The last message."""

    reason: GoodbyeReason


Body = Opened | Batch | Quotes | Heartbeat | Gap | Goodbye


@dataclass(frozen=True, slots=True)
class Message:
    """One message, with the position after it: everything up to `sequence` was delivered or declared."""

    sequence: int
    token: bytes
    """Empty until a snapshot is complete."""
    body: Body
