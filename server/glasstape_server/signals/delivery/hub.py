"""Fans committed records out to subscribers. Everything here runs on the event loop."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.errors import GlasstapeError, Unavailable
from glasstape_server.signals.delivery.feed import Feed, FeedLimits, FeedStats
from glasstape_server.signals.delivery.messages import GoodbyeReason, Subscription
from glasstape_server.signals.delivery.record_batch import RecordBatch
from glasstape_server.signals.delivery.subscriber import Subscriber
from glasstape_server.signals.journal.history import History, HistoryReaders
from glasstape_server.signals.journal.journal import Commit, Journal
from glasstape_server.signals.journal.records import Bounds, Position, Record, Selection

T = TypeVar("T")
log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Pause before a journal that could not be followed is followed again."""


class Hub:
    """Follows the journal and offers what is committed to every stream."""

    def __init__(
        self,
        journal: Journal,
        readers: HistoryReaders,
        now: Callable[[], int],
        limits: FeedLimits | None = None,
    ) -> None:
        """Create a hub without subscribers; `start` begins to follow the journal.

        Args:
            journal: what is published.
            readers: of its history.
            now: market time, microseconds.
            limits: of every stream.
        """
        self._journal = journal
        self._readers = readers
        self._feed = Feed(journal, readers, now, limits or FeedLimits())
        self._now = now
        self._epoch = journal.bounds.epoch
        self._subscribers: set[Subscriber] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self._following: asyncio.Task[None] | None = None
        self.degraded_reason = ""
        """Why the journal cannot be followed; empty: it can."""

    async def start(self) -> None:
        """Load the newest signals, then publish what is committed from now on."""
        feed = self._feed
        records = await self._readers.run_on_reader_thread(self.history.latest, self._now())
        # Newer ones come with the next commit: until then they are not published.
        feed.latest.add(record for record in records if record.sequence <= feed.position.sequence)
        self._following = asyncio.create_task(self._follow())

    @property
    def journal(self) -> Journal:
        """What is published."""
        return self._journal

    @property
    def history(self) -> History:
        """Committed records, for `run_on_reader_thread`; those beyond `bounds` are not published yet."""
        return self._readers.history

    @property
    def bounds(self) -> Bounds:
        """The journal's bounds, up to what is published."""
        return self._feed.bounds

    @property
    def stats(self) -> FeedStats:
        """Counters since the server started."""
        return self._feed.stats

    @property
    def subscribers(self) -> int:
        """Streams that are open."""
        return len(self._subscribers)

    @property
    def max_lag(self) -> int:
        """Events by which the slowest subscriber is behind."""
        head = self._feed.position.sequence
        return max((subscriber.lag(head) for subscriber in self._subscribers), default=0)

    def subscribe(self, request: Subscription) -> Subscriber:
        """Return a new subscriber; iterate its `messages`.

        Raises:
            Unavailable: the server is draining.
        """
        if self._draining:
            raise Unavailable("DRAINING", "the server is shutting down", retry_after=1.0)
        return Subscriber(self._feed, request, self._registered)

    def quote(self, bars: Sequence[Bar]) -> None:
        """Offer bars still forming to the streams that asked for them."""
        for subscriber in self._subscribers:
            subscriber.quote(bars)

    def snapshot(self, selection: Selection) -> list[Record]:
        """Return the latest confidences and the unexpired buys that a selection admits, by sequence."""
        return self._feed.latest.snapshot(selection)

    def token(self, epoch: bytes, position: Position) -> bytes:
        """Return the resume token of a position."""
        return self._feed.token(epoch, position)

    async def run_on_reader_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function that reads the history off the event loop, and return its result."""
        return await self._readers.run_on_reader_thread(function, *arguments)

    async def published(self, sequence: int, seconds: float) -> bool:
        """Wait until an event is published, at most so many seconds; return whether it is."""
        until = asyncio.get_running_loop().time() + seconds
        while self._feed.position.sequence < sequence:
            if not await self._feed.change(until):
                return False
        return True

    async def drain(self, timeout_s: float) -> None:
        """Publish what is committed, then end every stream and wait for that, at most `timeout_s` seconds."""
        self._draining = True
        until = asyncio.get_running_loop().time() + timeout_s
        if self._following is not None:
            await self.published(self._journal.bounds.head, timeout_s / 2)
        for subscriber in self._subscribers:
            subscriber.end(GoodbyeReason.DRAIN)
        try:
            async with asyncio.timeout_at(until):
                await self._empty.wait()
        except TimeoutError:
            pass  # the server's stop disconnects subscribers that do not read

    async def close(self) -> None:
        """Stop to follow the journal, and the reader threads."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        self._readers.close()

    async def _follow(self) -> None:
        while True:
            try:
                self._begin_epoch(self._journal.bounds.epoch)
                async for commit in self._journal.tail(self._feed.position.sequence):
                    self._publish(commit)
                    self.degraded_reason = ""
            except GlasstapeError as error:
                self.degraded_reason = error.message
                log.error("the journal cannot be followed: %s", error)
            except Exception:
                self.degraded_reason = "the journal cannot be followed; see the log"
                log.exception("the journal cannot be followed")
            await asyncio.sleep(RETRY_SECONDS)

    def _publish(self, commit: Commit) -> None:
        self._begin_epoch(commit.epoch)
        records = commit.records
        if records:
            if records[0].sequence != self._feed.position.sequence + 1:
                for subscriber in self._subscribers:  # each reports its gap
                    subscriber.fall_back()
            self._feed.advance(records)
            batches: dict[Selection, RecordBatch] = {}
            for subscriber in self._subscribers:
                selection = subscriber.selection
                if selection not in batches:
                    batches[selection] = RecordBatch.of(records, selection)
                subscriber.offer(batches[selection], self._feed.position)
        self._feed.notify()

    def _begin_epoch(self, epoch: bytes) -> None:
        """End every stream of another epoch: what is not in the journal any more must be forgotten."""
        if epoch != self._epoch:
            self._epoch = epoch
            for subscriber in self._subscribers:
                subscriber.on_epoch_changed(epoch)

    @contextmanager
    def _registered(self, subscriber: Subscriber) -> Iterator[None]:
        self._subscribers.add(subscriber)
        self._empty.clear()
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._empty.set()
