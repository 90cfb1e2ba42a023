"""Every order in which things may happen to the log, the hub and their readers, held against a plain list.

All the feed's promises are checked after every step.
"""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from effort import effort
from glasstape import BuyEvent
from glasstape.v1 import inference_pb2
from glasstape.v1 import signals_pb2 as pb
from glasstape_server.domain.errors import GlasstapeError
from glasstape_server.domain.values import Kind
from glasstape_server.signals.delivery.hub import Hub
from glasstape_server.signals.journal.log import Entry, Record
from glasstape_server.signals.journal.sqlite.log import SqliteLog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reader import Reader, Wire

QUEUE = 16
SYMBOLS = ("A", "B", "C")
FOREVER = 1 << 60


def _event(sequence, kind, symbol):
    """The bytes of an event."""
    event = pb.Event(sequence=sequence, symbol=symbol, interval="1d")
    signal = pb.Signal()
    signal.confidence.direction = inference_pb2.DIRECTION_UP
    if kind is Kind.BUY:
        event.buy.signal.CopyFrom(signal)
    else:
        event.confidence.CopyFrom(signal)
    return event.SerializeToString()


class DeterministicHub(Hub):
    """Reads the journal where it is asked: what a thread finished when would not be the same again."""

    async def read(self, function, *arguments):
        return function(*arguments)


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
            self.hub = DeterministicHub(self.log, lambda: 0, queue=QUEUE)

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
            record = Record(number, kind, symbol, "1d", "m", 0.5, FOREVER, _event(number, kind, symbol))
            window = np.zeros((6, 8), np.float32) if kind is Kind.CONFIDENCE else None
            entries.append(Entry(record, "d" if window is not None else "", window))
        records = self.log.append(entries, {})
        self.truth.update({record.sequence: record for record in records})
        self.loop.run_until_complete(self._publish(records))

    async def _publish(self, records):
        self.hub.publish(records)

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
                if reader.wire is None or reader.through >= head:
                    break
                self._receive(reader, 1)
            if reader.wire is not None:
                assert reader.through >= head, "it never gets there"

    @invariant()
    def nothing_is_invented(self):
        for reader in self.readers:
            if reader.epoch == self.log.bounds().epoch.hex():
                for sequence, event in reader.events.items():
                    record = self.truth.get(sequence)
                    kind = Kind.BUY if isinstance(event, BuyEvent) else Kind.CONFIDENCE
                    assert kind in reader.wanted
                    assert record is None or (record.kind, record.symbol) == (kind, event.symbol)

    @invariant()
    def every_bookmark_is_true(self):
        for reader in self.readers:
            if reader.epoch != self.log.bounds().epoch.hex():
                continue
            for sequence, record in self.truth.items():
                lossless = record.kind is Kind.BUY or reader.every_event
                due = reader.known_lost < sequence <= reader.through and record.kind in reader.wanted
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
