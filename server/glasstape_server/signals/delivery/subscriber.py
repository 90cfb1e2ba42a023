"""One stream: take the token, catch up from the journal, then follow live.

The moment its position equals the hub's, the subscriber goes live with nothing awaited in between:
so nothing is missed and nothing comes twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING

from glasstape_server.domain.errors import OutOfRange
from glasstape_server.signals.delivery import token as tokens
from glasstape_server.signals.delivery.burst import PAGE, Burst, Page, pages
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
    ResetReason,
    Start,
    Subscription,
)
from glasstape_server.signals.journal.log import Selection
from glasstape_server.signals.journal.sqlite.chain import NO_CHAIN

if TYPE_CHECKING:
    from glasstape_server.signals.delivery.hub import Hub


class Subscriber:
    """The state of one stream. `offer` and `end` are called by the hub, `messages` by the wire."""

    def __init__(self, hub: "Hub", wanted: Subscription, lanes: Lanes) -> None:
        self._hub = hub
        self._wanted = wanted
        self._lanes = lanes
        self._wake = asyncio.Event()
        self._live = False
        self._goodbye: GoodbyeReason | None = None
        self._offered: tuple[int, bytes] = (0, b"")
        self._flushed: tuple[int, bytes] = (0, b"")
        self._epoch = hub.bounds.epoch
        """Tokens are of the epoch in which the stream is, also while it is told that the epoch has changed."""
        self.too_slow = asyncio.Event()
        """Set when it leaves more waiting than it may: end the stream, the journal has everything."""

    @property
    def selection(self) -> Selection:
        """What it wants."""
        return self._wanted.selection

    @property
    def patience(self) -> float:
        """Seconds that a message may wait until the reader has room for it."""
        return self._hub.patience

    @property
    def sent(self) -> int:
        """Sequence up to which everything was handed to the wire."""
        return self._flushed[0]

    def offer(self, burst: Burst, position: tuple[int, bytes]) -> None:
        """Take what it wants of newly published records; `position` is that of the last one published."""
        if not self._live:
            return
        self._queue(burst, position)
        if self._lanes:
            self._wake.set()

    def end(self, reason: GoodbyeReason) -> None:
        """Deliver what waits, say goodbye, and end."""
        self._goodbye = reason
        self._wake.set()

    def cut_off(self) -> None:
        """It does not keep up, and the stream is to end."""
        if not self.too_slow.is_set():
            self._hub.tally.cut_off += 1
        self.too_slow.set()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """The stream, from `Opened` on.

        Raises:
            InvalidArgument: the token is none of this server's.
            OutOfRange: the token lies before the journal.
        """
        self._hub.join(self)
        try:
            for message in await self._open():
                yield message
            clock = asyncio.get_running_loop().time
            sent = flushed = clock()
            while not self._live and self._goodbye is None:
                messages = await self._catch_up()
                if not messages and clock() >= sent + self._wanted.heartbeat_seconds:
                    messages = [self._message(Heartbeat())]
                for message in messages:
                    sent = flushed = clock()
                    yield message
            while self._goodbye is None:
                flush_at = flushed + self._wanted.conflation_seconds
                beat_at = sent + self._wanted.heartbeat_seconds
                if self._lanes and clock() >= flush_at:
                    flushed = sent = clock()
                    for message in self._flush():
                        yield message
                elif clock() >= beat_at:
                    sent = clock()
                    yield self._message(Heartbeat())
                else:
                    await self._sleep_until(min(flush_at, beat_at) if self._lanes else beat_at)
            for message in self._flush():
                yield message
            yield self._message(Goodbye(self._goodbye))
        finally:
            self._hub.leave(self)

    async def _open(self) -> list[Message]:
        result, reason = OpenResult.STARTED, ResetReason.NONE
        if self._wanted.resume_token:
            result, reason = await self._resume()
        elif self._wanted.start is Start.EARLIEST:
            first = self._hub.bounds.earliest - 1
            chain = await self._hub.read(self._hub.log.chain_at, first)
            self._flushed = self._offered = (first, chain or NO_CHAIN)
        if result is OpenResult.RESUMED or (
            result is OpenResult.STARTED and self._wanted.start is Start.EARLIEST
        ):
            return [self._message(Opened(result, reason, self._hub.bounds))]
        return list(self._go_live(result, reason))

    def _go_live(self, result: OpenResult, reason: ResetReason) -> Iterator[Message]:
        opened = Opened(result, reason, self._hub.bounds)
        self._epoch = opened.bounds.epoch
        self._live = True
        self._flushed = self._offered = self._hub.position
        if result is OpenResult.STARTED and self._wanted.start is Start.LIVE:
            yield self._message(opened)
            return
        # Without a token until the snapshot is complete: whoever breaks off before gets it again.
        yield Message(0, b"", opened)
        records = self._hub.snapshot(self._wanted.selection)
        *before, last = pages(records) or [Page([])]
        for page in before:
            yield Message(0, b"", Batch(page, snapshot=True))
        yield self._message(Batch(last, snapshot=True))

    async def _resume(self) -> tuple[OpenResult, ResetReason]:
        bounds = self._hub.bounds
        token = tokens.decode(self._wanted.resume_token, bounds.epoch, self._hub.log.secret)
        if token.epoch != bounds.epoch:
            return OpenResult.RESET, ResetReason.EPOCH_CHANGED
        if token.sequence < bounds.earliest - 1:
            raise OutOfRange(
                "TOKEN_TOO_OLD",
                f"resume_token: is at {token.sequence}, the journal begins at {bounds.earliest}",
                metadata={
                    "earliest_sequence": str(bounds.earliest),
                    "sequence": str(token.sequence),
                },
            )
        held = None
        if token.sequence <= bounds.head:
            held = await self._hub.read(self._hub.log.chain_at, token.sequence)
        if held != token.chain:
            if token.sequence < self._hub.bounds.earliest - 1:
                return await self._resume()  # the journal was compacted meanwhile
            if not await self._hub.begin_epoch(bounds.epoch, self):
                return OpenResult.RESET, ResetReason.EPOCH_CHANGED  # another stream has told it before
            return OpenResult.RESET, ResetReason.HISTORY_LOST
        self._flushed = self._offered = (token.sequence, token.chain)
        return OpenResult.RESUMED, ResetReason.NONE

    async def _catch_up(self) -> list[Message]:
        """One page of the journal, or the step to live."""
        position = self._offered[0]
        if position == self._hub.position[0]:
            self._live = True
            return []
        page = await self._hub.read(self._hub.log.read, position, PAGE)
        head = self._hub.position[0]
        records = [record for record in page if record.sequence <= head]
        messages = []
        if records and records[0].sequence > position + 1:
            self._hub.tally.gaps += 1
            messages.append(self._message(Gap(position + 1, records[0].sequence - 1)))
        if records:
            self._queue(Burst.of(records, self.selection), (records[-1].sequence, records[-1].chain))
            messages += self._flush()
        return messages

    def _queue(self, burst: Burst, position: tuple[int, bytes]) -> None:
        # What waited before this burst counts: a reader that keeps up may get any burst.
        if self._live and self._lanes.overflowed:
            self.cut_off()
        self._lanes.offer(burst)
        self._offered = position

    def _flush(self) -> list[Message]:
        """Everything that waits, in messages of at most PAGE records."""
        waiting, replaced = self._lanes.take()
        self._hub.tally.conflated += replaced
        messages = []
        for place, page in enumerate(waiting):
            newest = page.records[-1]
            last = place == len(waiting) - 1
            position = self._offered if last else (newest.sequence, newest.chain)
            messages.append(self._message(Batch(page, replaced if place == 0 else 0), position))
        return messages

    def _message(self, body: Body, position: tuple[int, bytes] | None = None) -> Message:
        """A message at a position; by default the furthest that is true now."""
        if position is None:
            position = self._flushed if self._lanes else self._offered
        self._flushed = position
        return Message(position[0], self._hub.token(self._epoch, *position), body)

    async def _sleep_until(self, moment: float) -> None:
        try:
            async with asyncio.timeout_at(moment):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()
