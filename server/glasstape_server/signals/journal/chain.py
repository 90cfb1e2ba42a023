"""The hash chain over a journal's records: a record that was changed, removed or replaced no longer fits."""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache

from glasstape_server.domain.signals import Kind, ModelRef
from glasstape_server.signals.journal.records import Position, Record

NO_CHAIN = bytes(8)
"""Chain hash before the first event."""
JOURNAL_ORIGIN = Position(0, NO_CHAIN)
"""The place before the first event."""
EVENT_ID_BYTES = 16
_HEAD = struct.Struct(">8sQ16sBdqII")
_LENGTHS = struct.Struct(">4I")


Columns = tuple[int, bytes, Kind, str, str, ModelRef, float, int, bytes]
"""What a link covers: the columns of a `Record`, without its chain hash."""


def links(before: bytes, rows: Iterable[Columns]) -> Iterator[bytes]:
    """Yield the chain hash at each of consecutive records: BLAKE2b-64 over the hash before it and every column.

    Args:
        before: chain hash before the first of them.
        rows: their columns.

    Raises:
        ValueError: an event id has another length.
        TypeError, AttributeError, struct.error: a column holds a value of another type.
    """
    chain = before
    for sequence, event_id, kind, symbol, interval, model, winning, expire_time, payload in rows:
        if len(event_id) != EVENT_ID_BYTES:
            raise ValueError(f"event_id: {len(event_id)} bytes, expected {EVENT_ID_BYTES}")
        symbol_bytes, interval_bytes = symbol.encode(), interval.encode()
        head = _HEAD.pack(
            chain, sequence, event_id, kind, winning, expire_time, len(symbol_bytes), len(interval_bytes)
        )
        covered = b"".join((head, symbol_bytes, interval_bytes, _model_bytes(model), payload))
        chain = hashlib.blake2b(covered, digest_size=8).digest()
        yield chain


def follows(before: bytes, record: Record) -> bool:
    """Return whether a record is what was written after the chain hash `before`."""
    try:
        (expected,) = links(before, [record[:-1]])
    except (struct.error, TypeError, AttributeError, ValueError):
        return False
    return expected == record.chain


@lru_cache(maxsize=256)
def _model_bytes(model: ModelRef) -> bytes:
    fields = [text.encode() for text in (model.name, model.version, model.digest, model.feature_spec_hash)]
    return _LENGTHS.pack(*map(len, fields)) + b"".join(fields)
