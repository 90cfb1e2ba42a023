"""One stream: take the token, catch up from the history, then follow live.

The moment its position equals the feed's, the subscriber goes live with nothing awaited in between: no event
is missed and none is sent twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from glasstape_server.domain.bars import Bar
from glasstape_server.signals.delivery.feed import Feed
from glasstape_server.signals.delivery.lanes import Lanes
from glasstape_server.signals.delivery.messages import (
    Batch,
    Body,
    Gap,
    Goodbye,
    GoodbyeReason,
    Heartbeat,
    Message,
    Opened,
    OpenResult,
    Quotes,
    ResetReason,
    Start,
    Subscription,
)
from glasstape_server.signals.delivery.record_batch import Page, RecordBatch, pages
from glasstape_server.signals.delivery.resume import resume
from glasstape_server.signals.journal.chain import JOURNAL_ORIGIN
from glasstape_server.signals.journal.records import Position, Selection


class Subscriber:
    """The state of one stream. The hub calls `offer`, `fall_back` and `end`; the wire iterates `messages`."""

    def __init__(
        self,
        feed: Feed,
        request: Subscription,
        registered: Callable[["Subscriber"], AbstractContextManager[None]],
    ) -> None:
        """Create a stream that is not opened; `messages` opens it.

        Args:
            feed: what is published.
            request: which events, from where, how often.
            registered: context in which the stream is offered what is published.
        """
        self._feed = feed
        self._request = request
        self._registered = registered
        self._lanes = Lanes(feed.limits.queue, every_event=request.every_event)
        self._quotes: dict[tuple[str, str], Bar] = {}
        """Newest provisional bars that wait, by symbol and interval."""
        self._wake = asyncio.Event()
        self._live = False
        self._goodbye: GoodbyeReason | None = None
        self._offered = self._flushed = JOURNAL_ORIGIN
        self._epoch = b""
        """Epoch of the stream's tokens, which stays the same until the stream ends; empty: not opened."""
        self.too_slow = asyncio.Event()
        """Set when the subscriber leaves more queued than it may: the stream is to end."""

    @property
    def selection(self) -> Selection:
        """Which events it wants."""
        return self._request.selection

    @property
    def patience(self) -> float:
        """Seconds that a message may wait until the connection takes it."""
        return self._feed.limits.patience

    def lag(self, head: int) -> int:
        """Return by how many events the stream is behind `head`; 0 until it is opened."""
        return head - self._flushed.sequence if self._epoch else 0

    def offer(self, batch: RecordBatch, position: Position) -> None:
        """Queue newly published records; `position` is that of the newest one published."""
        if not self._live:
            return
        self._queue(batch, position)
        if self._lanes:
            self._wake.set()

    def quote(self, bars: Sequence[Bar]) -> None:
        """Queue bars still forming, if the stream asked for them; a newer one replaces one that waits."""
        symbols = self.selection.symbols
        if not (self._request.quotes and self._live):
            return
        self._quotes.update(
            {(bar.symbol, bar.interval): bar for bar in bars if symbols is None or bar.symbol in symbols}
        )
        if self._quotes:
            self._wake.set()

    def fall_back(self) -> None:
        """Read on from the history: what is published next does not follow what was offered."""
        self._live = False
        self._wake.set()

    def on_epoch_changed(self, epoch: bytes) -> None:
        """End the stream if its tokens are of another epoch."""
        if self._epoch not in (b"", epoch):
            self.end(GoodbyeReason.EPOCH_CHANGED)

    def end(self, reason: GoodbyeReason) -> None:
        """Deliver what is queued, then a goodbye, and end the stream."""
        self._goodbye = reason
        self._wake.set()

    def disconnect_slow(self) -> None:
        """Have the stream ended because the subscriber does not keep up: the journal has everything."""
        if not self.too_slow.is_set():
            self._feed.stats.disconnected_slow += 1
        self.too_slow.set()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Yield the messages of the stream, from `Opened` on.

        Raises:
            InvalidArgument: the token is none of this server's.
            OutOfRange: the token lies before the journal.
            Unavailable: this server is behind the token.
        """
        with self._registered(self):
            for message in await self._open():
                yield message
            clock = asyncio.get_running_loop().time
            sent = flushed = clock()
            while self._goodbye is None:
                flush_at = flushed + self._request.conflation_seconds
                next_heartbeat_at = sent + self._request.heartbeat_seconds
                if not self._live:
                    messages = await self._catch_up()
                    for message in messages:
                        sent = flushed = clock()
                        yield message
                    if messages or clock() < next_heartbeat_at:
                        continue
                elif self._waiting and clock() >= flush_at:
                    flushed = sent = clock()
                    for message in self._flush():
                        yield message
                    continue
                if clock() >= next_heartbeat_at:
                    sent = clock()
                    yield self._message(Heartbeat())
                else:
                    await self._sleep_until(
                        min(flush_at, next_heartbeat_at) if self._waiting else next_heartbeat_at
                    )
            for message in self._flush():
                yield message
            yield self._message(Goodbye(self._goodbye))

    async def _open(self) -> list[Message]:
        position: Position | None = None
        result, reason = OpenResult.STARTED, ResetReason.NONE
        if self._request.resume_token:
            resumption = await resume(self._request.resume_token, self._feed)
            result, reason, position = resumption.result, resumption.reason, resumption.position
        elif self._request.start is Start.EARLIEST:
            position = await self._beginning()
        bounds = self._feed.bounds
        self._epoch = bounds.epoch
        opened = Opened(result, reason, bounds)
        if position is None:
            return list(self._go_live(opened))
        self._flushed = self._offered = position
        return [self._message(opened)]

    async def _beginning(self) -> Position:
        """The place before the journal's first event."""
        while True:
            first = self._feed.bounds.earliest - 1
            chain = await self._feed.readers.run_on_reader_thread(self._feed.readers.history.chain_at, first)
            if chain is not None:  # else events were removed meanwhile
                return Position(first, chain)

    def _go_live(self, opened: Opened) -> Iterator[Message]:
        self._live = True
        self._flushed = self._offered = self._feed.position
        if opened.result is OpenResult.STARTED and self._request.start is Start.LIVE:
            yield self._message(opened)
            return
        # Without a token until the snapshot is complete: a client that breaks off before gets it again.
        yield Message(0, b"", opened)
        records = self._feed.latest.snapshot(self.selection)
        *before, last = pages(records) or [Page([])]
        for page in before:
            yield Message(0, b"", Batch(page, snapshot=True))
        yield self._message(Batch(last, snapshot=True))

    async def _catch_up(self) -> list[Message]:
        """Return one page of the history as messages; at the newest published record, return none and go live."""
        feed, after = self._feed, self._offered.sequence
        if after == feed.position.sequence:
            self._live = True
            return []
        page = await feed.readers.run_on_reader_thread(feed.readers.history.read, after, feed.limits.page)
        head = feed.position.sequence
        records = [record for record in page if record.sequence <= head]
        messages = []
        if records and records[0].sequence > after + 1:
            feed.stats.gaps += 1
            messages.append(self._message(Gap(after + 1, records[0].sequence - 1)))
        if records:
            self._queue(RecordBatch.of(records, self.selection), records[-1].position)
            messages += self._flush()
        return messages

    @property
    def _waiting(self) -> bool:
        return bool(self._lanes or self._quotes)

    def _queue(self, batch: RecordBatch, position: Position) -> None:
        # What was queued before this batch counts: a subscriber that keeps up may get any batch.
        if self._live and self._lanes.overflowed:
            self.disconnect_slow()
        self._lanes.offer(batch)
        self._offered = position

    def _flush(self) -> list[Message]:
        """Return everything that is queued, in messages of at most PAGE records, then the quotes."""
        queued, replaced = self._lanes.take()
        self._feed.stats.conflated += replaced
        messages = []
        for place, page in enumerate(queued):
            last = place == len(queued) - 1
            position = self._offered if last else page.records[-1].position
            messages.append(self._message(Batch(page, replaced if place == 0 else 0), position))
        if self._quotes:
            messages.append(self._message(Quotes(list(self._quotes.values()))))
            self._quotes = {}
        return messages

    def _message(self, body: Body, position: Position | None = None) -> Message:
        """Return a message at a position; by default that of the newest record offered, or flushed if records wait."""
        if position is None:
            position = self._flushed if self._lanes else self._offered
        self._flushed = position
        return Message(position.sequence, self._feed.token(self._epoch, position), body)

    async def _sleep_until(self, moment: float) -> None:
        try:
            async with asyncio.timeout_at(moment):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
