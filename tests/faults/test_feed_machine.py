"""Every order in which things may happen to the log, the hub and their readers, held against a plain list.

Readers keep what a program would keep: events, token, and what they were told. All the feed's promises are
checked after every step.
"""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from effort import effort
from glasstape_server.domain import Kind
from glasstape_server.errors import OutOfRange
from glasstape_server.feed.hub import Hub
from glasstape_server.feed.log import Entry, Record, Selection
from glasstape_server.feed.messages import Batch, Gap, Goodbye, Opened, OpenResult, Start, Subscription
from glasstape_server.feed.sqlite_log import SqliteLog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

QUEUE = 16
SYMBOLS = ("A", "B", "C")
FOREVER = 1 << 60


class Reader:
    """A program that follows the feed and may be away for a while."""

    def __init__(self, kinds, every_event):
        self.selection = Selection(kinds=kinds)
        self.every_event = every_event
        self.token = b""
        self.through = 0
        self.events = {}
        self.order = []
        self.epoch = None
        self.stream = None
        self.known_lost = 0
        """Sequences up to here are known to be lost to it."""

    def too_old(self, earliest):
        assert self.through + 1 < earliest, "said to be too old, and it was not"
        self.known_lost = max(self.known_lost, earliest - 1)
        self.token = b""

    def take(self, message):
        body = message.body
        if isinstance(body, Opened):
            if body.result is OpenResult.RESET or body.bounds.epoch != self.epoch:
                self.events, self.order, self.known_lost, self.through = {}, [], 0, 0
            self.epoch = body.bounds.epoch
            if body.result is OpenResult.STARTED:
                self.known_lost = max(self.known_lost, body.bounds.earliest - 1)
        elif isinstance(body, Gap):
            self.known_lost = max(self.known_lost, body.last)
        elif isinstance(body, Batch):
            for record in body.records:
                if not body.snapshot:
                    assert record.sequence not in self.events, "twice"
                    assert not self.order or record.sequence > self.order[-1], "out of order"
                    self.order.append(record.sequence)
                self.events[record.sequence] = record
            if body.snapshot:
                self.known_lost = max(self.known_lost, message.sequence)
                self.order = [message.sequence] if message.sequence else []
        if message.token:
            self.token, self.through = message.token, message.sequence


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
        self.earliest = 1
        self._open()

    def _open(self):
        async def made():
            self.log = SqliteLog(self.path)
            self.hub = Hub(self.log, lambda: 0, queue=QUEUE)

        self.loop.run_until_complete(made())

    def _shut(self):
        for reader in self.readers:
            self._leave(reader)
        self.hub.close()
        self.log.close()

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
        head = self.log.bounds().head
        entries = []
        for number, (kind, symbol) in enumerate(described, head + 1):
            record = Record(number, kind, symbol, "1d", "m", 0.5, FOREVER, f"{kind}{symbol}{number}".encode())
            window = np.zeros((6, 8), np.float32) if kind is Kind.CONFIDENCE else None
            entries.append(Entry(record, "d" if window is not None else "", window))
        records = self.log.append(entries, {})
        self.truth.update({record.sequence: record for record in records})
        self.loop.run_until_complete(self._publish(records))

    async def _publish(self, records):
        self.hub.publish(records)

    @rule(
        buys=st.booleans(), every_event=st.booleans(), start=st.sampled_from([Start.EARLIEST, Start.SNAPSHOT])
    )
    def subscribe(self, buys, every_event, start):
        reader = Reader(frozenset({Kind.BUY}) if buys else None, every_event)
        self.readers.append(reader)
        self._join(reader, start)

    @precondition(lambda self: any(reader.stream is None for reader in self.readers))
    @rule(data=st.data())
    def resume(self, data):
        away = [reader for reader in self.readers if reader.stream is None]
        self._join(data.draw(st.sampled_from(away)), Start.EARLIEST)

    def _join(self, reader, start):
        wanted = Subscription(
            reader.selection,
            start,
            reader.token,
            reader.every_event,
            conflation_seconds=0.0,
            heartbeat_seconds=0.0,
        )
        reader.subscriber = self.hub.subscribe(wanted)
        reader.stream = reader.subscriber.messages()
        self._receive(reader, 1)

    @precondition(lambda self: any(reader.stream for reader in self.readers))
    @rule(data=st.data(), count=st.integers(1, 8))
    def receive(self, data, count):
        self._receive(data.draw(st.sampled_from([r for r in self.readers if r.stream])), count)

    def _receive(self, reader, count):
        async def some():
            for _ in range(count):
                if reader.subscriber.too_slow.is_set():
                    return False
                message = await anext(reader.stream, None)
                if message is None or isinstance(message.body, Goodbye):
                    return False
                reader.take(message)
            return True

        try:
            if not self.loop.run_until_complete(some()):
                self._leave(reader)
        except OutOfRange as error:
            self._leave(reader)
            reader.too_old(int(error.metadata["earliest_sequence"]))

    @precondition(lambda self: any(reader.stream for reader in self.readers))
    @rule(data=st.data())
    def disconnect(self, data):
        self._leave(data.draw(st.sampled_from([r for r in self.readers if r.stream])))

    def _leave(self, reader):
        if reader.stream is not None:
            self.loop.run_until_complete(reader.stream.aclose())
            reader.stream = None

    @rule(keep=st.integers(0, 6))
    def compact(self, keep):
        self.log.compact(max(1, self.log.bounds().head - keep))
        self.earliest = self.log.bounds().earliest

    @rule()
    def crash_and_reopen(self):
        before = self.log.bounds()
        self._shut()
        self._open()
        assert self.log.bounds() == before

    @precondition(lambda self: self.log.bounds().head > self.earliest)
    @rule()
    def lose_the_tail(self):
        head = self.log.bounds().head
        self._shut()
        log = SqliteLog(self.path)
        for table in ("events", "windows"):
            log._writer.execute(f"DELETE FROM {table} WHERE sequence = ?", (head,))
        log.close()
        del self.truth[head]
        self._open()

    @rule()
    def everybody_catches_up(self):
        """With time enough every reader that is there holds what it asked for."""
        head = self.hub.position[0]
        for reader in self.readers:
            for _ in range(200):
                if reader.stream is None or reader.through >= head:
                    break
                self._receive(reader, 1)
            if reader.stream is not None:
                assert reader.through >= head, "it never gets there"

    @invariant()
    def nothing_is_invented(self):
        for reader in self.readers:
            if reader.epoch == self.log.bounds().epoch:
                for sequence, record in reader.events.items():
                    assert sequence not in self.truth or record == self.truth[sequence]
                    assert reader.selection.admits(record)

    @invariant()
    def every_bookmark_is_true(self):
        for reader in self.readers:
            if reader.epoch != self.log.bounds().epoch:
                continue
            for sequence, record in self.truth.items():
                lossless = record.kind is Kind.BUY or reader.every_event
                due = reader.known_lost < sequence <= reader.through and reader.selection.admits(record)
                assert not (due and lossless) or sequence in reader.events, f"{sequence} is missing"

    @invariant()
    def the_journal_is_the_truth(self):
        held = {r.sequence: r for r in self.log.read(0, 10_000)}
        assert held == {s: r for s, r in self.truth.items() if s >= self.earliest}


TestFeed = Feed.TestCase
TestFeed.settings = settings(
    max_examples=effort(25, 3000),
    stateful_step_count=effort(25, 50),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
