"""Rules that both wires apply to a call before its request is decoded: metadata and compression."""

import zlib
from collections.abc import Iterable

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES
from glasstape_server.rpc.handlers import message_too_large

ENTRY_BYTES = 32
"""Overhead of one metadata entry, as HTTP/2 counts a header list (RFC 9113, section 6.5.2)."""
GZIP = b"\x1f\x8b"
"""First bytes of a gzip stream. No protobuf message begins with 0x1f, a field of the unused wire type 7."""
_GZIP_WINDOW = 31
"""`wbits` of zlib for a gzip stream with the largest window."""


def check_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> None:
    """Check the size of a call's metadata.

    Raises:
        InvalidArgument: it is larger than `MAX_METADATA_BYTES`.
    """
    size = sum(len(key) + len(value) + ENTRY_BYTES for key, value in metadata)
    if size > MAX_METADATA_BYTES:
        raise InvalidArgument(
            "METADATA_TOO_LARGE",
            f"metadata: {size} bytes, at most {MAX_METADATA_BYTES} (keys, values and {ENTRY_BYTES} bytes an entry)",
            metadata={"limit": str(MAX_METADATA_BYTES), "size": str(size)},
        )


def inflate(payload: bytes) -> bytes:
    """Return the message of a gzip stream. Never holds more than one byte above the limit of a message.

    Raises:
        InvalidArgument: the stream is damaged or cut off, or the message is too large.
    """
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        message = inflater.decompress(payload, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        raise InvalidArgument.field("request", f"is {len(payload)} bytes of damaged gzip") from None
    if len(message) > MAX_MESSAGE_BYTES:
        raise message_too_large(f"more than {MAX_MESSAGE_BYTES}")
    if not inflater.eof:
        raise InvalidArgument.field("request", f"is {len(payload)} bytes of gzip that are cut off")
    return message
