"""What is published: how far, the newest signals, and where to read on. Everything here runs on the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery import token as tokens
from glasstape_server.signals.delivery.latest import LatestSignals
from glasstape_server.signals.delivery.record_batch import PAGE
from glasstape_server.signals.delivery.token import Token
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.journal import Journal
from glasstape_server.signals.journal.records import Bounds, Position, Record

CATCH_UP_SECONDS = 3.0
"""How long a token ahead of what is published waits for it. The SDK gives up a silent stream after 4 s."""


@dataclass
class FeedStats:
    """Counters since the server started."""

    published: Counter[Kind] = field(default_factory=Counter)
    conflated: int = 0
    """Confidences that newer ones replaced before a subscriber took them."""
    gaps: int = 0
    """Sequence gaps reported to subscribers."""
    disconnected_slow: int = 0
    """Subscribers that were disconnected because they did not keep up."""


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """Limits of every stream."""

    queue: int = 10_000
    """Lossless events that may be queued for one subscriber."""
    patience: float = 30.0
    """Seconds that a message may wait until the connection takes it."""
    page: int = PAGE
    """Records that a subscriber behind the newest event reads at once."""
    catch_up_seconds: float = CATCH_UP_SECONDS
    """How long a token ahead of what is published waits for it."""


class Feed:
    """What subscribers share: position, newest signals, history and counters.

    The position is that of the newest published record. The journal and the history may hold newer ones:
    they are committed, and visible only when the hub publishes them.
    """

    def __init__(
        self, journal: Journal, readers: HistoryReaders, now: Callable[[], int], limits: FeedLimits
    ) -> None:
        self.journal = journal
        self.readers = readers
        self.limits = limits
        self.stats = FeedStats()
        self.latest = LatestSignals(now)
        self.position = journal.bounds.end
        self._changed = asyncio.Event()

    @property
    def bounds(self) -> Bounds:
        """The journal's bounds, up to what is published."""
        bounds, position = self.journal.bounds, self.position
        earliest = min(bounds.earliest, position.sequence + 1)
        return replace(bounds, earliest=earliest, head=position.sequence, chain=position.chain)

    def token(self, epoch: bytes, position: Position) -> bytes:
        """Return the resume token of a position."""
        return tokens.encode(Token(epoch, *position), self.journal.secret)

    def advance(self, records: Sequence[Record]) -> None:
        """Make records the newest published ones."""
        self.latest.add(records)
        self.stats.published.update(record.kind for record in records)
        self.position = records[-1].position

    def notify(self) -> None:
        """Wake those that wait for a change of position or epoch."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def change(self, until: float) -> bool:
        """Wait until position or epoch change, or until a time of the event loop's clock; return which."""
        changed = self._changed
        try:
            async with asyncio.timeout_at(until):
                await changed.wait()
        except TimeoutError:
            return False
        return True
