"""The hash chain over a journal's records: a record that was changed, removed or replaced no longer fits."""

import hashlib
import struct
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


def link(
    before: bytes,
    sequence: int,
    event_id: bytes,
    kind: Kind,
    symbol: str,
    interval: str,
    model: ModelRef,
    winning: float,
    expire_time: int,
    payload: bytes,
) -> bytes:
    """Return the chain hash at a record: BLAKE2b-64 over the hash before it and every column.

    Raises:
        ValueError: `event_id` has another length.
        TypeError, AttributeError, struct.error: a column holds a value of another type.
    """
    if len(event_id) != EVENT_ID_BYTES:
        raise ValueError(f"event_id: {len(event_id)} bytes, expected {EVENT_ID_BYTES}")
    names = (symbol.encode(), interval.encode())
    head = _HEAD.pack(before, sequence, event_id, kind, winning, expire_time, *map(len, names))
    return hashlib.blake2b(b"".join((head, *names, _model_bytes(model), payload)), digest_size=8).digest()


def follows(before: bytes, record: Record) -> bool:
    """Return whether a record is what was written after the chain hash `before`."""
    try:
        expected = link(
            before, record.sequence, record.event_id, record.kind, record.symbol, record.interval,
            record.model, record.winning, record.expire_time, record.payload,
        )  # fmt: skip
    except (struct.error, TypeError, AttributeError, ValueError):
        return False
    return expected == record.chain


@lru_cache(maxsize=256)
def _model_bytes(model: ModelRef) -> bytes:
    fields = [text.encode() for text in (model.name, model.version, model.digest, model.feature_spec_hash)]
    return _LENGTHS.pack(*map(len, fields)) + b"".join(fields)
