"""Batches for journals, and journals on disk: whole and damaged."""

import asyncio
import itertools
import sqlite3
from contextlib import closing

import numpy as np
from glasstape_server.domain.bars import Bar, DataState
from glasstape_server.domain.signals import (
    Buy,
    Confidence,
    Direction,
    Entry,
    Event,
    Kind,
    ModelRef,
    Outcome,
    Signal,
)
from glasstape_server.signals.journal.sqlite.journal import SqliteJournal
from plain_batch import PlainBatch

MODEL = ModelRef("m", "1", "d", "f")
FOREVER = 1 << 60
A, B = ("CONFIDENCE", "A", 0.4), ("CONFIDENCE", "B", 0.4)
BUY = ("BUY", "A", 0.4)

_close_times = itertools.count(1)


def encode(event):
    """Bytes that tell events apart."""
    reference = getattr(event.body, "confidence_sequence", "")
    return f"{event.kind.name}{event.symbol}{event.sequence}>{reference}".encode()


def make_batch(*described, model=MODEL, expire=FOREVER, progress=None, resolves=0, encode=encode):
    """A batch of (kind, symbol, winning probability), each of a bar of its own.

    A buy refers to the event before it, an outcome resolves `resolves`. The window of a confidence holds its
    position in the batch.
    """
    events = [
        _event(place, Kind[kind], symbol, winning, model, expire, resolves)
        for place, (kind, symbol, winning) in enumerate(described, 1)
    ]
    places = [event.sequence for event in events if event.kind is Kind.CONFIDENCE]
    windows = np.repeat(np.array(places, np.float32), 48).reshape(-1, 6, 8)
    return PlainBatch(events, windows, progress or {}, encode)


def _event(place, kind, symbol, winning, model, expire, resolves):
    close_time = next(_close_times)
    confidence = Confidence(0.0, 0.0, winning, False, 0.0)
    bar = Bar(symbol, "1d", close_time, 1.0, 1.0, 1.0, 1.0, 1.0)
    signal = Signal(confidence, bar, None, 1, Entry.CURRENT_CLOSE, expire, DataState.LIVE, 0.01)
    body = {
        Kind.CONFIDENCE: signal,
        Kind.BUY: Buy(max(1, place - 1), signal),
        Kind.OUTCOME: Outcome(resolves, close_time, Direction.UP, Direction.UP, 0.01, confidence),
    }[kind]
    return Event(place, symbol, "1d", close_time, 7, model, body)


async def append(journal, *described, **changes):
    """Append a batch; returns its records."""
    head = journal.bounds.head
    batch = make_batch(*described, **changes)
    await journal.append(batch, head)
    return journal.history.read(head, len(batch)) if described else []


def append_now(journal, *described, **changes):
    """The same where no event loop runs."""
    return asyncio.run(append(journal, *described, **changes))


def fill(path, count=40):
    """A journal of confidences and buys with windows; returns its records."""
    kinds = ["BUY" if n % 3 == 0 else "CONFIDENCE" for n in range(1, count + 1)]
    described = [(kind, f"S{n % 5}", n / 100) for n, kind in enumerate(kinds, 1)]
    with closing(SqliteJournal(path)) as journal:
        records = append_now(
            journal,
            *described,
            progress={(f"S{k}", "1d"): k for k in range(5)},
            encode=lambda event: bytes([event.sequence]) * 30,
        )
    change(
        path, "PRAGMA wal_checkpoint(TRUNCATE)"
    )  # everything into the one file that is going to be damaged
    return records


def change(path, statement, *values):
    """Change a journal behind its back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement, values)


def damage(path, sequence):
    """Damage an event."""
    change(path, "UPDATE events SET payload = x'00' WHERE sequence = ?", sequence)


def cut(path, last):
    """Remove what lies behind an event, as a file system may that loses the end of a file."""
    for table in ("events", "windows"):
        change(path, f"DELETE FROM {table} WHERE sequence > ?", last)
