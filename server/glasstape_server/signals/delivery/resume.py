"""Where a stream goes on from its token, and what happens if it cannot."""

import asyncio
from dataclasses import dataclass

from glasstape_server.domain.errors import GlasstapeError, OutOfRange, Unavailable
from glasstape_server.signals.delivery import token as tokens
from glasstape_server.signals.delivery.feed import Feed
from glasstape_server.signals.delivery.messages import OpenResult, ResetReason
from glasstape_server.signals.delivery.token import Token
from glasstape_server.signals.journal.records import Bounds, Position

RETRY_AFTER_SECONDS = 1.0
"""What a server that is behind a token suggests to wait."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a token was taken."""

    result: OpenResult
    reason: ResetReason = ResetReason.NONE
    position: Position | None = None
    """Where the stream goes on; None: from now, after a reset."""


async def resume(raw: bytes, feed: Feed) -> Resumption:
    """Find the position of a token in the journal.

    A token that the journal does not hold, or not yet, waits until it does, at most
    `feed.limits.catch_up_seconds`: a server may lag. Only the journal's owner can tell that history was lost.

    Raises:
        InvalidArgument: this is no token of this server.
        OutOfRange: the token lies before the journal's first event.
        Unavailable: this server is behind the token.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + feed.limits.catch_up_seconds
    while True:
        bounds = feed.bounds
        token = tokens.decode(raw, bounds.epoch, feed.journal.secret)
        if token.epoch != bounds.epoch and not tokens.is_genuine(raw, feed.journal.secret):
            return Resumption(OpenResult.RESET, ResetReason.EPOCH_CHANGED)  # of another journal
        if token.epoch == bounds.epoch and token.sequence < bounds.earliest - 1:
            raise _too_old(token, bounds)
        if token.epoch == bounds.epoch and token.sequence <= bounds.head:
            chain = await feed.readers.run_on_reader_thread(feed.readers.history.chain_at, token.sequence)
            if feed.journal.bounds.epoch == bounds.epoch and chain == token.chain:
                return Resumption(OpenResult.RESUMED, position=token.position)
        if await feed.journal.confirm_loss(token.epoch, token.position):
            same = token.epoch == bounds.epoch
            return Resumption(
                OpenResult.RESET, ResetReason.HISTORY_LOST if same else ResetReason.EPOCH_CHANGED
            )
        if clock() >= until or (feed.bounds == bounds and not await feed.change(until)):
            raise _behind(token, bounds)


def _too_old(token: Token, bounds: Bounds) -> GlasstapeError:
    return OutOfRange(
        "TOKEN_TOO_OLD",
        f"resume_token: is at {token.sequence}, the journal begins at {bounds.earliest}",
        metadata={"earliest_sequence": str(bounds.earliest), "sequence": str(token.sequence)},
    )


def _behind(token: Token, bounds: Bounds) -> GlasstapeError:
    return Unavailable(
        "TOKEN_AHEAD",
        f"resume_token: is at {token.sequence}, this server at {bounds.head}: it has not caught up",
        metadata={"head_sequence": str(bounds.head), "sequence": str(token.sequence)},
        retry_after=RETRY_AFTER_SECONDS,
    )
