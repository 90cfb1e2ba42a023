"""The chain over a journal's records: what was changed, cut off or replaced no longer fits."""

import hashlib
import struct

from glasstape_server.signals.journal.log import Record

NO_CHAIN = bytes(8)
"""Chain hash before the first event."""
_HEAD = struct.Struct(">8sQBdqIII")


def link(chain: bytes, record: Record) -> bytes:
    """The chain hash after one more record: BLAKE2b-64 over the one before and every column.

    Raises:
        struct.error: a column has no value that it could have been written with.
    """
    names = [name.encode() for name in (record.symbol, record.interval, record.model_name)]
    head = _HEAD.pack(
        chain, record.sequence, record.kind, record.winning, record.expire_time, *map(len, names)
    )
    return hashlib.blake2b(b"".join((head, *names, record.payload)), digest_size=8).digest()


def first_link(chain: bytes, record: Record) -> bytes:
    """The same as it was before journals had a format: over number and payload alone."""
    return hashlib.blake2b(
        chain + record.sequence.to_bytes(8, "big") + record.payload, digest_size=8
    ).digest()
