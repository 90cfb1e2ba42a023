"""Resume tokens: opaque to clients, checked against the journal by the server.

Layout, 33 bytes: version (1), epoch (8), sequence (8), chain hash at that sequence (8), tag (8). The
tag is keyed with the journal's secret: a token that carries this epoch and a valid tag was given out by
this journal, so if the journal no longer holds its sequence, history was lost. A forged token cannot claim
that.
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass

from glasstape_server.domain.errors import InvalidArgument
from glasstape_server.signals.journal.records import Position

VERSION = 1
_LAYOUT = struct.Struct(">B8sQ8s")
_SIZE = _LAYOUT.size + 8


@dataclass(frozen=True, slots=True)
class Token:
    """A position in one history."""

    epoch: bytes
    sequence: int
    chain: bytes

    @property
    def position(self) -> Position:
        """The place in the journal."""
        return Position(self.sequence, self.chain)


def encode(token: Token, secret: bytes) -> bytes:
    """Return a token packed and tagged."""
    head = _LAYOUT.pack(VERSION, token.epoch, token.sequence, token.chain)
    return head + _tag(head, secret)


def decode(raw: bytes, epoch: bytes, secret: bytes) -> Token:
    """Unpack a token; its tag is checked if it belongs to `epoch`.

    Raises:
        InvalidArgument: this is no token of this server.
    """
    if len(raw) != _SIZE or raw[0] != VERSION:
        raise InvalidArgument.field(
            "resume_token",
            f"must be a token of {_SIZE} bytes from this service, has {len(raw)} bytes",
        )
    token = Token(*_LAYOUT.unpack(raw[: _LAYOUT.size])[1:])
    if token.epoch == epoch and not is_genuine(raw, secret):
        raise InvalidArgument.field("resume_token", "was not given out by this server")
    return token


def is_genuine(raw: bytes, secret: bytes) -> bool:
    """Return whether a token was given out by a journal with this secret, in any epoch."""
    return hmac.compare_digest(raw[_LAYOUT.size :], _tag(raw[: _LAYOUT.size], secret))


def _tag(head: bytes, secret: bytes) -> bytes:
    return hashlib.blake2b(head, digest_size=8, key=secret).digest()
