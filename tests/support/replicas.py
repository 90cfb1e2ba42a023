"""A replicated journal in memory: one log, any number of members, each with a history that may lag behind it.

The shape of a journal over brokers, without any: what the members share is `SharedLog`, and a member sees of it
only what it has applied.
"""

import asyncio
import secrets

from glasstape_server.domain.errors import ResourceExhausted
from glasstape_server.domain.signals import Kind
from glasstape_server.signals.journal.chain import JOURNAL_ORIGIN, NO_CHAIN
from glasstape_server.signals.journal.journal import AppendUnknown, Commit, Fenced
from glasstape_server.signals.journal.records import Bounds


class SharedLog:
    """Committed batches and epochs, in order."""

    def __init__(self):
        self.secret = secrets.token_bytes(32)
        self.entries = [secrets.token_bytes(8)]
        """Epochs (bytes) and commits (records, batch)."""
        self.end = JOURNAL_ORIGIN
        self.lose_next_acknowledgment = False
        """The next append is stored and not acknowledged."""
        self.full = False
        self.members = []
        self._stored = {}
        """The head before each batch and the end of it, by its event ids."""

    def append(self, batch, expected):
        if self.full:
            raise ResourceExhausted("STORAGE_FULL", "the log is full", retry_after=5.0)
        ids = tuple(batch.event_ids)
        if expected != self.end.sequence:
            first, end = self._stored.get(ids, (None, None))
            if not ids or first != expected:
                raise Fenced(f"the journal ends at {self.end.sequence}, expected {expected}")
            return end
        records = batch.records(self.end)
        self.entries.append((records, batch))
        if records:
            self.end = records[-1].position
            self._stored[ids] = (expected, self.end)
        self._tell()
        if self.lose_next_acknowledgment:
            self.lose_next_acknowledgment = False
            raise AppendUnknown("timed out")
        return self.end

    def begin_epoch(self):
        self.entries.append(secrets.token_bytes(8))
        self._tell()

    def _tell(self):
        for member in self.members:
            member.apply()


class MemoryHistory:
    """See `History`."""

    def __init__(self):
        self.records = {}
        self.chain_before = {0: NO_CHAIN}
        self._windows = {}
        self._resolved = set()
        self._progress = {}

    def apply(self, records, batch):
        self.records |= {record.sequence: record for record in records}
        confidences = [record.sequence for record in records if record.kind is Kind.CONFIDENCE]
        self._windows |= {s: window.tobytes() for s, window in zip(confidences, batch.windows, strict=True)}
        self._resolved |= set(batch.resolved)
        self._progress |= batch.progress

    def prune_before(self, earliest):
        self.chain_before = {earliest - 1: self.chain_at(earliest - 1)}
        for held in (self.records, self._windows):
            for sequence in [s for s in held if s < earliest]:
                del held[sequence]

    def read(self, after, limit):
        return [self.records[s] for s in sorted(self.records) if s > after][:limit]

    def page(self, selection, first, last, limit, descending):
        within = sorted((s for s in self.records if first <= s <= last), reverse=descending)
        return [self.records[s] for s in within if selection.admits(self.records[s])][:limit]

    def record(self, sequence):
        return self.records.get(sequence)

    def chain_at(self, sequence):
        record = self.records.get(sequence)
        return record.chain if record is not None else self.chain_before.get(sequence)

    def window(self, sequence):
        record = self.records.get(sequence)
        if record is None or record.kind is Kind.OUTCOME:
            return None
        return self._windows.get(sequence if record.kind is Kind.CONFIDENCE else sequence - 1)

    def latest(self, now):
        newest = {
            (r.symbol, r.interval, r.model.name): s
            for s, r in sorted(self.records.items())
            if r.kind is Kind.CONFIDENCE
        }
        buys = [s for s, r in self.records.items() if r.kind is Kind.BUY and r.expire_time > now]
        return [self.records[s] for s in sorted({*newest.values(), *buys})]

    def progress(self):
        return dict(self._progress)

    def unresolved(self):
        return [self.records[s] for s in sorted(self._windows) if s not in self._resolved]


class Replica:
    """See `Journal`: one member. While it is `held` it applies nothing, as one that lags."""

    def __init__(self, log, *, owner=False, history=None):
        self.degraded_reason = ""
        self.held = False
        """Whether it applies nothing."""
        self.history = history or MemoryHistory()
        self.log = log
        self._owner = owner
        self._applied = 0
        self._epochs = []
        self._earliest, self._end = 1, JOURNAL_ORIGIN
        self._changed = asyncio.Event()
        log.members.append(self)
        self.apply()

    def apply(self):
        """Apply what the log holds, unless the member is held."""
        if self.held:
            return
        for entry in self.log.entries[self._applied :]:
            if isinstance(entry, bytes):
                self._epochs.append(entry)
            else:
                self.history.apply(*entry)
                self._end = entry[0][-1].position if entry[0] else self._end
        self._applied = len(self.log.entries)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @property
    def secret(self):
        return self.log.secret

    @property
    def bounds(self):
        return Bounds(self._epochs[-1], self._earliest, *self._end)

    async def append(self, batch, expected):
        await asyncio.sleep(0)
        return self.log.append(batch, expected)

    async def tail(self, after):
        epoch = self._epochs[-1]
        while True:
            changed = self._changed
            records = self.history.read(after, 10_000)
            if self._epochs[-1] != epoch:
                epoch = self._epochs[-1]
                yield Commit(epoch, ())
            elif records:
                after = records[-1].sequence
                yield Commit(epoch, records)
            else:
                await changed.wait()

    async def confirm_loss(self, epoch, position):
        await asyncio.sleep(0)
        if epoch in self._epochs[:-1]:
            return True
        if not self._owner or self._applied < len(self.log.entries):
            return False
        if epoch != self._epochs[-1]:
            return True
        if position.sequence < self._earliest - 1:
            return False
        if self.history.chain_at(position.sequence) == position.chain:
            return False
        self.log.begin_epoch()
        return True

    async def prune_before(self, earliest):
        earliest = min(earliest, self._end.sequence)
        if earliest > self._earliest:
            self.history.prune_before(earliest)
            self._earliest = earliest

    def close(self):
        pass
