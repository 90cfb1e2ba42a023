"""Fans committed records out to subscribers. Everything here runs on the event loop.

The hub's position is the newest record it has published. The journal may already hold newer ones:
they are committed, and visible only when they come through here.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

from glasstape_server.domain.errors import Unavailable
from glasstape_server.domain.values import Kind
from glasstape_server.signals.delivery import token as tokens
from glasstape_server.signals.delivery.burst import Burst, SeriesKey, series_key
from glasstape_server.signals.delivery.lanes import Lanes
from glasstape_server.signals.delivery.messages import GoodbyeReason, Subscription
from glasstape_server.signals.delivery.subscriber import Subscriber
from glasstape_server.signals.delivery.token import Token
from glasstape_server.signals.journal.log import Bounds, EventLog, Record, Selection

T = TypeVar("T")


@dataclass
class Tally:
    """What the feed did since it started."""

    published: Counter[Kind] = field(default_factory=Counter)
    conflated: int = 0
    """Confidences that newer ones replaced before a reader took them."""
    gaps: int = 0
    """Stretches that were told as lost."""
    cut_off: int = 0
    """Readers that did not keep up."""


class Hub:
    """The latest of everything, and who wants it."""

    def __init__(
        self, log: EventLog, now: Callable[[], int], *, queue: int = 10_000, patience: float = 30.0
    ) -> None:
        self.log = log
        self.patience = patience
        """Seconds that a reader may leave a message waiting."""
        self._now = now
        self._queue = queue
        self._readers = ThreadPoolExecutor(2, "journal-read")
        self._latest: dict[SeriesKey, Record] = {}
        self._buys: dict[int, Record] = {}
        """Unexpired buys by sequence."""
        self._subscribers: set[Subscriber] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self.tally = Tally()
        bounds = log.bounds()
        self.position = (bounds.head, bounds.chain)
        """Sequence and chain hash of the newest published record."""
        for record in log.latest(now()):
            self._remember(record)

    @property
    def bounds(self) -> Bounds:
        """The journal's bounds, up to what is published."""
        return replace(self.log.bounds(), head=self.position[0], chain=self.position[1])

    @property
    def subscribers(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    @property
    def furthest_behind(self) -> int:
        """Events by which the slowest reader is behind."""
        return max((self.position[0] - subscriber.sent for subscriber in self._subscribers), default=0)

    def publish(self, records: Sequence[Record]) -> None:
        """Hand committed records to everybody who wants them."""
        if not records:
            return
        if (missed := records[0].sequence - self.position[0] - 1) > 0:
            # A burst was committed and failed on its way here: it is told before what follows it.
            records = [*self.log.read(self.position[0], missed), *records]
        for record in records:
            self._remember(record)
        self.tally.published.update(record.kind for record in records)
        now = self._now()
        self._buys = {n: record for n, record in self._buys.items() if record.expire_time > now}
        self.position = (records[-1].sequence, records[-1].chain)
        bursts: dict[Selection, Burst] = {}
        for subscriber in self._subscribers:
            wanted = subscriber.selection
            if wanted not in bursts:
                bursts[wanted] = Burst.of(records, wanted)
            subscriber.offer(bursts[wanted], self.position)

    def subscribe(self, wanted: Subscription) -> Subscriber:
        """A new subscriber; iterate its `messages`.

        Raises:
            Unavailable: the server is draining.
        """
        if self._draining:
            raise Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        return Subscriber(self, wanted, Lanes(self._queue, every_event=wanted.every_event))

    def join(self, subscriber: Subscriber) -> None:
        """A stream has begun."""
        self._subscribers.add(subscriber)
        self._empty.clear()

    def leave(self, subscriber: Subscriber) -> None:
        """A stream has ended."""
        self._subscribers.discard(subscriber)
        if not self._subscribers:
            self._empty.set()

    async def drain(self, longest: float) -> None:
        """Say goodbye to every subscriber and wait until they are gone, at most `longest` seconds."""
        self._draining = True
        self._end(GoodbyeReason.DRAIN)
        try:
            async with asyncio.timeout(longest):
                await self._empty.wait()
        except TimeoutError:
            pass  # readers that do not read are cut off by the server's stop

    def close(self) -> None:
        """Stop the reader threads."""
        self._readers.shutdown()

    async def begin_epoch(self, lost: bytes, teller: Subscriber) -> bool:
        """History of epoch `lost` was lost, as `teller`'s token proves: begin a new one and reset everybody.

        Returns False if that epoch is over already.
        """
        if not await self.read(self.log.begin_epoch, lost):
            return False
        self._end(GoodbyeReason.EPOCH_CHANGED, but=teller)
        return True

    def snapshot(self, selection: Selection) -> list[Record]:
        """The latest confidences and the unexpired buys that a selection admits, by sequence."""
        now = self._now()
        buys = [record for record in self._buys.values() if record.expire_time > now]
        found = [r for r in (*self._latest.values(), *buys) if selection.admits(r)]
        return sorted(found, key=lambda record: record.sequence)

    def token(self, epoch: bytes, sequence: int, chain: bytes) -> bytes:
        """The resume token of a position."""
        return tokens.encode(Token(epoch, sequence, chain), self.log.secret)

    async def read(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a method of the log off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)

    def _end(self, reason: GoodbyeReason, but: Subscriber | None = None) -> None:
        for subscriber in self._subscribers:
            if subscriber is not but:
                subscriber.end(reason)

    def _remember(self, record: Record) -> None:
        if record.kind is Kind.CONFIDENCE:
            self._latest[series_key(record)] = record
        elif record.kind is Kind.BUY:
            self._buys[record.sequence] = record
