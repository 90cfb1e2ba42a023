"""Minute bars of Alpaca's WebSocket stream.

The stream of alpaca-py reconnects by itself without saying so, which would leave gaps unnoticed; this one ends.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from glasstape.sources.alpaca_rest import row_of
from glasstape.sources.credentials import Credentials
from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
)
from glasstape.sources.live_bars import LiveBars
from glasstape.sources.polling import Clock
from glasstape.sources.websocket import Stream, open_stream
from glasstape.types.market import Bar

_REFUSED = {
    402: CredentialsError,
    404: CredentialsError,
    405: SourceError,
    409: SourceError,
    410: SourceError,
}
"""Errors of the protocol that retrying does not change, by code: authentication, symbol limit, subscription."""


async def stream_minutes(
    url: str, credentials: Credentials, symbols: Sequence[str], bars: LiveBars, clock: Clock
) -> AsyncIterator[Bar]:
    """Yield provisional bars as minutes arrive, and final ones when they are due, until the connection is lost.

    Args:
        url: of the stream of one feed.
        credentials: `key` and `secret`.
        symbols: to subscribe to, minute bars and their corrections.
        bars: merges the minutes.
        clock: of the market.

    Raises:
        CredentialsError: Alpaca refused the credentials.
        SourceError: a limit of the subscription is exceeded.
        SourceUnavailableError: the connection is lost.
    """
    async with open_stream(url, "alpaca") as stream:
        await _expect(stream, "connected")
        await stream.send_json({"action": "auth", "key": credentials["key"], "secret": credentials["secret"]})
        await _expect(stream, "authenticated")
        await stream.send_json({"action": "subscribe", "bars": [*symbols], "updatedBars": [*symbols]})
        bars.begin(clock.now())
        while True:
            due = bars.next_due()
            wait = None if due is None else max((due - clock.now()).total_seconds(), 0.0)
            for message in await _messages(stream, wait):
                if message.get("T") in ("b", "u") and message.get("S") in symbols:
                    bar = _updated(bars, message)
                    if bar is not None:
                        yield bar
            for bar in bars.due(clock.now()):
                yield bar


async def _expect(stream: Stream, message: str) -> None:
    """Read the answer to a step of the handshake.

    Raises:
        CredentialsError: Alpaca refused the credentials.
        SourceError: a limit of the subscription is exceeded.
        SourceUnavailableError: there is no answer, or another one.
    """
    answers = await _messages(stream)
    if not any(answer.get("T") == "success" and answer.get("msg") == message for answer in answers):
        raise SourceUnavailableError(f"alpaca: the stream did not answer {message!r}")


async def _messages(stream: Stream, wait: float | None = 30.0) -> list[dict[str, Any]]:
    """Return the messages of the next frame; none if it does not arrive in time.

    Raises:
        CredentialsError: Alpaca refused the credentials.
        RateLimitedError: another connection of the account is open.
        SourceError: a limit of the subscription is exceeded.
        SourceUnavailableError: the connection is lost, or a message cannot be read.
    """
    messages = await stream.receive_json(wait)
    if messages is None:
        return []
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise SourceUnavailableError("alpaca: a message of the stream is not a list of objects")
    for message in messages:
        if message.get("T") == "error":
            code, text = message.get("code"), f"alpaca: stream error: {message.get('msg')}"
            if code == 406:
                raise RateLimitedError(f"{text}; another program uses the account's one connection")
            raise _REFUSED.get(code or 0, SourceUnavailableError)(f"{text} (code {code})")
    return messages


def _updated(bars: LiveBars, message: dict[str, Any]) -> Bar | None:
    """Return the provisional bar that a minute belongs to.

    Raises:
        SourceUnavailableError: the message lacks a field.
    """
    try:
        return bars.update(message["S"], row_of(message))
    except (KeyError, TypeError, ValueError) as error:
        raise SourceUnavailableError(f"alpaca: a bar of the stream cannot be read: {error!r}") from None
