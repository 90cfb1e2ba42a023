"""Rules that both wires apply to a call before its request is decoded: metadata and compression."""

import zlib
from collections.abc import Iterable

import grpc

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.domain.limits import MAX_METADATA_BYTES, MAX_RECEIVED_BYTES

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
    size = 0
    for key, value in metadata:  # a generator would take twice as long, for every call
        size += len(key) + len(value) + ENTRY_BYTES
    if size > MAX_METADATA_BYTES:
        raise InvalidArgument(
            "METADATA_TOO_LARGE",
            f"metadata: {size} bytes, at most {MAX_METADATA_BYTES} (keys, values and {ENTRY_BYTES} bytes an entry)",
            metadata={"limit": str(MAX_METADATA_BYTES), "size": str(size)},
        )


class WireError(Exception):
    """A request that a gRPC library refuses itself, with a status that has no reason."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


def inflate(payload: bytes) -> bytes:
    """Return the message of a gzip stream, as the native wire's library does.

    Never holds more than one byte above `MAX_RECEIVED_BYTES`.

    Raises:
        WireError: the stream is damaged or cut off, or its message is larger than `MAX_RECEIVED_BYTES`.
    """
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        message = inflater.decompress(payload, MAX_RECEIVED_BYTES + 1)
    except zlib.error as error:
        raise WireError(grpc.StatusCode.INTERNAL, f"Error decompressing: {error}") from None
    if len(message) > MAX_RECEIVED_BYTES:
        raise received_too_large(f"more than {MAX_RECEIVED_BYTES}")
    if not inflater.eof:
        raise WireError(grpc.StatusCode.INTERNAL, "Error decompressing: unexpected end of file")
    return message


def received_too_large(size: str) -> WireError:
    """Return the error of a message with so many bytes, in grpcio's words."""
    return WireError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"Received message larger than max ({size} vs. {MAX_RECEIVED_BYTES})",
    )
