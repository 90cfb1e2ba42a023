"""Every order in which things may happen to the journal, the hub and their readers, held against a plain list.

All the feed's promises are checked after every step.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest
from effort import effort
from glasstape import BuyEvent
from glasstape.v1 import inference_pb2
from glasstape.v1 import signals_pb2 as pb
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.delivery.feed import FeedLimits
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.history import HistoryReaders
from glasstape_server.signals.journal.journal import Fenced
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from inline import InlineExecutor
from journals import cut, make_batch
from reader import Reader, Wire

QUEUE = 16
SYMBOLS = ("A", "B", "C")


def _encode(event):
    """The bytes of an event."""
    message = pb.Event(sequence=event.sequence, symbol=event.symbol, interval="1d")
    signal = pb.Signal()
    signal.probabilities.direction = inference_pb2.DIRECTION_UP
    if event.kind is Kind.BUY:
        message.buy.signal.CopyFrom(signal)
    else:
        message.confidence.CopyFrom(signal)
    return message.SerializeToString()


class Feed(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal"
        self.readers = []

    @initialize()
    def begin(self):
        self.truth = {}
        self.newest = None
        """The newest batch and the head behind which it was appended, while the journal holds all of it."""
        self.earliest = 1
        self._open()

    def _open(self):
        async def opened():
            # No threads: what one of them finished when would not be the same again.
            self.journal = SqliteJournal(self.path, executor=InlineExecutor())
            readers = HistoryReaders(self.journal.history, InlineExecutor())
            self.hub = Hub(self.journal, readers, lambda: 0, FeedLimits(queue=QUEUE))
            await self.hub.start()

        self.loop.run_until_complete(opened())

    def _shut(self):
        for reader in self.readers:
            self._leave(reader)
        self.loop.run_until_complete(self.hub.close())
        self.journal.close()

    def teardown(self):
        self._shut()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self.folder.cleanup()

    @rule(
        described=st.lists(
            st.tuples(st.sampled_from([Kind.CONFIDENCE, Kind.BUY]), st.sampled_from(SYMBOLS)),
            min_size=1,
            max_size=12,
        )
    )
    def append(self, described):
        head = self.journal.bounds.head
        batch = make_batch(*((kind.name, symbol, 0.5) for kind, symbol in described), encode=_encode)
        self.loop.run_until_complete(self._append(batch, head))
        self.truth.update({r.sequence: r for r in self.journal.history.read(head, len(batch))})
        self.newest = (batch, head)

    @precondition(lambda self: self.newest is not None)
    @rule()
    def append_again(self):
        """As after an acknowledgment that never came."""
        before = self.journal.bounds
        end = self.loop.run_until_complete(self.journal.append(*self.newest))
        assert end == self.journal.bounds.end
        assert self.journal.bounds == before

    @precondition(lambda self: self.truth)
    @rule(behind=st.integers(1, 3))
    def append_behind_another_head(self, behind):
        head = max(0, self.journal.bounds.head - behind)
        with pytest.raises(Fenced):
            self.loop.run_until_complete(self.journal.append(make_batch(("BUY", "A", 0.5)), head))

    async def _append(self, batch, head):
        await self.journal.append(batch, head)
        assert await self.hub.published(head + len(batch), 5)

    @rule(
        buys=st.booleans(),
        every_event=st.booleans(),
        start=st.sampled_from(
            [pb.SignalsRequest.START_EARLIEST, pb.SignalsRequest.START_SNAPSHOT, pb.SignalsRequest.START_LIVE]
        ),
    )
    def subscribe(self, buys, every_event, start):
        reader = Reader(buys, every_event, start)
        self.readers.append(reader)
        self._join(reader)

    @precondition(lambda self: any(reader.wire is None for reader in self.readers))
    @rule(data=st.data())
    def resume(self, data):
        self._join(data.draw(st.sampled_from([r for r in self.readers if r.wire is None])))

    def _join(self, reader):
        async def joined():
            return Wire(self.hub, self.hub.subscribe(reader.subscription()))

        reader.wire = self.loop.run_until_complete(joined())
        self._receive(reader, 1)

    @precondition(lambda self: any(reader.wire for reader in self.readers))
    @rule(data=st.data(), count=st.integers(1, 8))
    def receive(self, data, count):
        self._receive(self._connected(data), count)

    def _connected(self, data):
        return data.draw(st.sampled_from([reader for reader in self.readers if reader.wire]))

    def _receive(self, reader, count, *, handled=True):
        async def some():
            for _ in range(count):
                raw = await reader.wire.read()
                if raw is None:
                    return False
                reader.take(raw, handled=handled)
            return True

        try:
            if not self.loop.run_until_complete(some()):
                self._leave(reader)
        except GlasstapeError as error:
            self._leave(reader)
            reader.refused(error)

    @precondition(lambda self: any(reader.wire for reader in self.readers))
    @rule(data=st.data())
    def disconnect(self, data):
        self._leave(self._connected(data))

    @precondition(lambda self: any(reader.wire for reader in self.readers))
    @rule(data=st.data())
    def die_over_a_message(self, data):
        """A reader's program ends before it is done with a message, and comes back with what it had kept."""
        reader = self._connected(data)
        self._receive(reader, 1, handled=False)
        self._leave(reader)

    def _leave(self, reader):
        if reader.wire is not None:
            self.loop.run_until_complete(reader.wire.close())
            reader.wire = None

    @rule(keep=st.integers(0, 6))
    def compact(self, keep):
        self.loop.run_until_complete(self.journal.prune_before(max(1, self.journal.bounds.head - keep)))
        self.earliest = self.journal.bounds.earliest
        if self.newest is not None and self.newest[1] + 1 < self.earliest:
            self.newest = None

    @rule()
    def crash_and_reopen(self):
        before = self.journal.bounds
        self._shut()
        self._open()
        assert self.journal.bounds == before

    @precondition(lambda self: self.journal.bounds.head > self.earliest)
    @rule()
    def lose_the_tail(self):
        head = self.journal.bounds.head
        self._shut()
        cut(self.path, head - 1)
        del self.truth[head]
        self.newest = None
        self._open()

    @rule()
    def everybody_catches_up(self):
        """With time enough every reader that is there holds what it asked for."""
        head = self.hub.bounds.head
        for reader in self.readers:
            for _ in range(200):
                if reader.wire is None or reader.through >= head:
                    break
                self._receive(reader, 1)
            if reader.wire is not None:
                assert reader.through >= head, "it never gets there"

    @invariant()
    def nothing_is_invented(self):
        for reader in self.readers:
            if reader.epoch == self.journal.bounds.epoch.hex():
                for sequence, event in reader.events.items():
                    record = self.truth.get(sequence)
                    kind = Kind.BUY if isinstance(event, BuyEvent) else Kind.CONFIDENCE
                    assert kind in reader.wanted
                    assert record is None or (record.kind, record.symbol) == (kind, event.symbol)

    @invariant()
    def every_bookmark_is_true(self):
        for reader in self.readers:
            if reader.epoch != self.journal.bounds.epoch.hex():
                continue
            for sequence, record in self.truth.items():
                lossless = record.kind is Kind.BUY or reader.every_event
                due = reader.known_lost < sequence <= reader.through and record.kind in reader.wanted
                assert not (due and lossless) or sequence in reader.events, f"{sequence} is missing"

    @invariant()
    def the_journal_is_the_truth(self):
        held = {r.sequence: r for r in self.journal.history.read(0, 10_000)}
        assert held == {s: r for s, r in self.truth.items() if s >= self.earliest}


TestFeed = Feed.TestCase
TestFeed.settings = settings(
    max_examples=effort(25, 3000),
    stateful_step_count=effort(25, 50),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
