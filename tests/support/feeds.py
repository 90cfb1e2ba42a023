"""A hub over a journal, and streams whose messages are taken one by one."""

import asyncio
from dataclasses import replace

from glasstape_server.signals.delivery.feed import FeedLimits
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.delivery.messages import Batch, Subscription
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.records import Position
from journals import append

QUICK = Subscription(conflation_seconds=0.0, heartbeat_seconds=0.15)
QUEUE_LIMIT = 50
"""Lossless events that may be queued for one stream."""


class HubFixture:
    """A hub over a journal, and what is appended to it."""

    def __init__(self, journal, page=4096, history=None):
        self.journal = journal
        limits = FeedLimits(queue=QUEUE_LIMIT, page=page, catch_up_seconds=0.2)
        self.hub = Hub(journal, HistoryReaders(history or journal.history), lambda: 1000, limits)

    @property
    def epoch(self):
        return self.journal.bounds.epoch

    async def publish(self, *described, **changes):
        """Append, and wait until it is published."""
        records = await append(self.journal, *described, **changes)
        assert await self.hub.published(records[-1].sequence, 5)
        return records

    def token(self, sequence, chain=None):
        return self.hub.token(
            self.epoch, Position(sequence, chain or self.journal.history.chain_at(sequence))
        )

    async def open(self, **changes):
        """A stream and its first message."""
        stream = Stream(self.hub, replace(QUICK, **changes))
        return stream, await stream.next()


class Stream:
    """A subscriber whose messages are taken one by one."""

    def __init__(self, hub, wanted):
        self.subscriber = hub.subscribe(wanted)
        self.messages = self.subscriber.messages()

    async def next(self):
        async with asyncio.timeout(5):
            return await anext(self.messages)

    async def sequences_until(self, head):
        found, message = [], None
        while message is None or message.sequence < head:
            message = await self.next()
            if isinstance(message.body, Batch):
                found += [r.sequence for r in message.body.records]
        return found, message

    async def close(self):
        await self.messages.aclose()
