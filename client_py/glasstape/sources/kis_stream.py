"""Trades of Korean stocks from the WebSocket stream of Korea Investment & Securities (transaction H0STCNT0)."""

import base64
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
)
from glasstape.sources.kis_rest import SEOUL
from glasstape.sources.live_bars import LiveBars
from glasstape.sources.polling import Clock
from glasstape.sources.rows import Row
from glasstape.sources.websocket import Stream, open_stream, parse_json
from glasstape.types.market import Bar

TRADES = "H0STCNT0"
MOST_SYMBOLS = 40
"""Subscriptions of one connection."""
SILENCE_S = 60.0
"""Longest time without a message; the server sends PINGPONG every 10 seconds."""
_FIELDS = 46
_REFUSED = {
    "OPSP0011": CredentialsError,  # invalid approval key
    "OPSP8996": RateLimitedError,  # the app key is in use by another connection
    "OPSP0008": SourceError,  # too many subscriptions
}


class KisTrade(NamedTuple):
    """One trade, or several of one moment."""

    symbol: str
    time: datetime
    price: float
    volume: float
    total_volume: float
    """Of the day, this trade included."""


async def stream_trades(
    url: str, approval_key: str, symbols: Sequence[str], bars: LiveBars, clock: Clock
) -> AsyncIterator[Bar]:
    """Yield provisional bars with every message, and final ones when they are due, until the connection is lost.

    Args:
        url: of the stream.
        approval_key: of the app key.
        symbols: at most `MOST_SYMBOLS`.
        bars: merges the minutes that trades form.
        clock: of the market.

    Raises:
        CredentialsError: the key is refused.
        SourceError: the subscription is refused.
        SourceUnavailableError: the connection is lost.
    """
    async with open_stream(url, "kis", heartbeat_s=None) as stream:
        for symbol in symbols:
            await stream.send_json(_subscription(approval_key, symbol))
        minutes = TradeMinutes(bars)
        answered = 0
        keys: tuple[str, str] | None = None
        while True:
            due = bars.next_due()
            wait = SILENCE_S if due is None else max((due - clock.now()).total_seconds(), 0.0)
            text = await stream.receive(min(wait, SILENCE_S))
            if text is None:
                if wait >= SILENCE_S:
                    raise SourceUnavailableError(f"kis: the stream was silent for {SILENCE_S:g} s")
            elif text[:1] in ("0", "1"):
                for bar in minutes.update(parse_trades(text, keys)):
                    yield bar
            elif (answer := await _answer(stream, text)) is not None:
                keys = answer or keys
                answered += 1
                if answered == len(symbols):
                    bars.begin(clock.now())
            for bar in bars.due(clock.now()):
                yield bar


class TradeMinutes:
    """Merges trades into minutes, and notices lost ones by the day's volume."""

    def __init__(self, bars: LiveBars) -> None:
        self._bars = bars
        self._minutes: dict[str, Row] = {}
        self._totals: dict[str, float] = {}

    def update(self, trades: Sequence[KisTrade]) -> list[Bar]:
        """Return the provisional bars that trades changed, the newest of each symbol."""
        changed: dict[tuple[str, datetime], Bar] = {}
        for trade in trades:
            minute = trade.time.replace(second=0)
            known = self._totals.get(trade.symbol)
            if known is not None and known + trade.volume != trade.total_volume:
                forming = self._minutes.get(trade.symbol)
                for stamp in {minute, minute if forming is None else forming.opened}:
                    self._bars.spoil(trade.symbol, stamp)
            self._totals[trade.symbol] = trade.total_volume
            bar = self._bars.update(trade.symbol, self._merged(trade, minute))
            if bar is not None:
                changed[trade.symbol, bar.close_time] = bar
        return list(changed.values())

    def _merged(self, trade: KisTrade, minute: datetime) -> Row:
        row = self._minutes.get(trade.symbol)
        if row is None or row.stamp != minute:
            row = Row(minute, trade.price, trade.price, trade.price, trade.price, 0.0)
        row = row._replace(
            high=max(row.high, trade.price),
            low=min(row.low, trade.price),
            close=trade.price,
            volume=row.volume + trade.volume,
        )
        self._minutes[trade.symbol] = row
        return row


def parse_trades(text: str, keys: tuple[str, str] | None) -> list[KisTrade]:
    """Return the trades of a frame `0|H0STCNT0|003|…`; those of other transactions are left out.

    Args:
        text: the frame; its first character is 1 if its data are encrypted.
        keys: key and initialization vector of the answer to the subscription.

    Raises:
        SourceUnavailableError: the frame cannot be read.
    """
    encrypted, _, rest = text.partition("|")
    transaction, _, rest = rest.partition("|")
    count, _, data = rest.partition("|")
    if transaction != TRADES:
        return []
    try:
        values = (_decrypted(data, keys) if encrypted == "1" else data).split("^")
        width = len(values) // int(count)
        if width < _FIELDS or width * int(count) != len(values):
            raise SourceUnavailableError(
                f"kis: a frame of {TRADES} has {len(values)} fields, expected {count} times {_FIELDS}"
            )
        return [_trade(values[start : start + width]) for start in range(0, len(values), width)]
    except (ArithmeticError, ValueError) as error:
        raise SourceUnavailableError(f"kis: a frame of {TRADES} cannot be read: {error}") from None


def _trade(fields: Sequence[str]) -> KisTrade:
    time = datetime.strptime(fields[33] + fields[1], "%Y%m%d%H%M%S").replace(tzinfo=SEOUL)
    return KisTrade(fields[0], time, float(fields[2]), float(fields[12]), float(fields[13]))


def _decrypted(data: str, keys: tuple[str, str] | None) -> str:
    """Return data that are encrypted by AES-256-CBC.

    Raises:
        ValueError: there is no key, or the data are damaged.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    if keys is None:
        raise ValueError("encrypted before the key arrived")
    key, vector = keys
    decryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(vector.encode())).decryptor()
    unpadder = PKCS7(128).unpadder()
    plain = decryptor.update(base64.b64decode(data)) + decryptor.finalize()
    return (unpadder.update(plain) + unpadder.finalize()).decode()


def _subscription(approval_key: str, symbol: str) -> dict[str, Any]:
    return {
        "header": {
            "approval_key": approval_key,
            "custtype": "P",
            "tr_type": "1",
            "content-type": "utf-8",
        },
        "body": {"input": {"tr_id": TRADES, "tr_key": symbol}},
    }


async def _answer(stream: Stream, text: str) -> tuple[str, str] | tuple[()] | None:
    """Read the answer to a subscription, or return a PINGPONG to the server.

    Returns:
        Key and vector of encrypted frames, empty if it states none; None: not an answer to a subscription.

    Raises:
        CredentialsError: the key is refused.
        SourceError: the subscription is refused.
        SourceUnavailableError: the message cannot be read.
    """
    message = parse_json(text, "kis")
    try:
        if message["header"]["tr_id"] == "PINGPONG":
            await stream.send(text)
            return None
        body = message["body"]
        code, reason = str(body.get("msg_cd")), str(body.get("msg1"))
        if body["rt_cd"] != "0" and "ALREADY IN SUBSCRIBE" not in reason:
            symbol = message["header"].get("tr_key", "")
            error = _REFUSED.get(code, SourceUnavailableError)
            raise error(f"kis: the subscription of {symbol} was refused: {code} {reason}")
        output = body.get("output") or {}
    except (KeyError, TypeError, AttributeError):
        raise SourceUnavailableError(f"kis: a message cannot be read: {text[:60]!r}") from None
    return (str(output["key"]), str(output["iv"])) if {"key", "iv"} <= output.keys() else ()
