"""How far a bar store has applied its stream, and which entries it applies together."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby

from glasstape_server.broker.streams import AnotherCluster, Stream
from glasstape_server.cluster.bar_entries import BarEntry, Change
from glasstape_server.market.draft import Batch, BatchMode
from glasstape_server.market.store import BarStore
from glasstape_server.storage.sqlite import connect

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS stream (name TEXT PRIMARY KEY, cluster TEXT, through INTEGER) WITHOUT ROWID"
)


def received(entry: BarEntry) -> Batch:
    """Return the batch of an entry, with the time at which it was received."""
    assert isinstance(entry.change, Batch)
    return replace(entry.change, received=entry.received)


def runs(entries: Sequence[tuple[BarEntry, int]]) -> Iterator[list[tuple[BarEntry, int]]]:
    """Yield entries in order: batches of new bars together, every correction and backfill alone."""
    for together, run in groupby(entries, lambda entry: _is_new(entry[0].change)):
        if together:
            yield list(run)
        else:
            yield from ([entry] for entry in run)


def _is_new(change: Change) -> bool:
    return isinstance(change, Batch) and change.mode in (BatchMode.FINAL, BatchMode.PROVISIONAL)


def join(store: BarStore, stream: Stream) -> int:
    """Prepare the database; return the sequence of the newest message of the stream that it holds.

    Raises:
        AnotherCluster: the bars are another cluster's.
    """
    with closing(connect(store.path)) as db:
        db.execute(_SCHEMA)
        row = db.execute("SELECT cluster, through FROM stream WHERE name = ?", (stream.name,)).fetchone()
    if row is None:
        return 0
    if row[0] != stream.cluster_id:
        raise AnotherCluster(row[0], stream.cluster_id)
    return int(row[1])
