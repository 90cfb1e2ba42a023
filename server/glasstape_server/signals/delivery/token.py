"""Resume tokens: opaque to clients, checked against the journal by the server.

Layout, 33 bytes: version (1), epoch (8), sequence (8), chain hash at that sequence (8), tag (8). The
tag is keyed with the journal's own secret: a token that carries this epoch and a true tag was given
out by this journal, so if the journal does not hold its sequence any more, history was lost. A made-up
token can never claim that.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass

from glasstape_server.domain.errors import InvalidArgument

VERSION = 1
_LAYOUT = struct.Struct(">B8sQ8s")
_SIZE = _LAYOUT.size + 8


@dataclass(frozen=True, slots=True)
class Token:
    """A position in one history."""

    epoch: bytes
    sequence: int
    chain: bytes


def encode(token: Token, secret: bytes) -> bytes:
    """Pack and tag a token."""
    head = _LAYOUT.pack(VERSION, token.epoch, token.sequence, token.chain)
    return head + _tag(head, secret)


def decode(raw: bytes, epoch: bytes, secret: bytes) -> Token:
    """Unpack a token; the tag is checked if it belongs to `epoch`.

    Raises:
        InvalidArgument: this is no token of this server.
    """
    if len(raw) != _SIZE or raw[0] != VERSION:
        raise InvalidArgument.field(
            "resume_token",
            f"must be a token of {_SIZE} bytes from this service, has {len(raw)} bytes",
        )
    head, tag = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
    token = Token(*_LAYOUT.unpack(head)[1:])
    if token.epoch == epoch and not hmac.compare_digest(tag, _tag(head, secret)):
        raise InvalidArgument.field("resume_token", "was not given out by this server")
    return token


def _tag(head: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=8, key=secret).digest()
