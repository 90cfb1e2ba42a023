"""Synthetic market for benchmarks of the feed: bars to publish, and subscribers that count events."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from glasstape.v1 import market_pb2, signals_pb2

from glasstape_server.domain.bars import Bar
from glasstape_server.domain.times import DAY
from glasstape_server.market.clock import wall_time
from glasstape_server.rpc.convert.market import bar_to
from glasstape_server.transport.grpcio_server import SIGNALS

HISTORY = 80
"""Bars of each symbol before the first burst: enough for one window."""
OPTIONS = (("grpc.max_receive_message_length", 1 << 24), ("grpc.max_send_message_length", 1 << 24))


class SyntheticBars:
    """Daily bars of many symbols, up to yesterday."""

    def __init__(self, symbols: int, days: int) -> None:
        steps = np.random.default_rng(0).normal(0, 0.01, (HISTORY + days, symbols))
        self._closes = 100 * np.exp(steps.cumsum(axis=0))
        self._start = wall_time() // DAY * DAY - (HISTORY + days) * DAY

    def history(self) -> list[market_pb2.PublishBarsRequest]:
        """Return requests with the bars before day 0, to be stored without signals."""
        return [self._request(day, backfill=True) for day in range(HISTORY)]

    def day(self, day: int) -> market_pb2.PublishBarsRequest:
        """Return the request with the bars of one day, counted from 0 after the history."""
        return self._request(HISTORY + day, backfill=False)

    def _request(self, day: int, *, backfill: bool) -> market_pb2.PublishBarsRequest:
        close_time = self._start + day * DAY
        bars = [
            Bar(f"S{number:05d}", "1d", close_time, close, close * 1.01, close * 0.99, close, 1000.0)
            for number, close in enumerate(self._closes[day].tolist())
        ]
        mode = market_pb2.BAR_MODE_BACKFILL if backfill else market_pb2.BAR_MODE_FINAL
        return market_pb2.PublishBarsRequest(bars=[bar_to(bar) for bar in bars], mode=mode)


@dataclass(slots=True)
class CountingSubscriber:
    """Subscriber that records the sequences it received, without decoding events."""

    through: int = 0
    """Last `through_sequence`."""
    messages: int = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """(time by `time.monotonic`, through_sequence) of each message that advanced it."""
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first message."""

    def reached(self, sequence: int) -> float:
        """Return the time at which everything up to a sequence had been received, by `time.monotonic`."""
        return next(moment for moment, through in self.arrivals if through >= sequence)

    async def follow(self, address: str) -> None:
        """Read the feed on a connection of its own until canceled."""
        options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        request = signals_pb2.SignalsRequest(start=signals_pb2.SignalsRequest.START_LIVE).SerializeToString()
        async with grpc.aio.insecure_channel(address, options) as channel:
            stream: Any = channel.unary_stream(SIGNALS)
            async for message in stream(request):
                self.messages += 1
                through = _through(message)
                if through != self.through:
                    self.through = through
                    self.arrivals.append((time.monotonic(), through))
                self.opened.set()


async def settled(subscribers: list[CountingSubscriber], beyond: int = 0) -> int:
    """Wait until all subscribers reached the same sequence and nothing new arrived for a second; return it.

    Args:
        subscribers: that follow the same feed.
        beyond: sequence that must be exceeded.
    """
    newest, changed = max(each.through for each in subscribers), time.monotonic()
    while (
        newest <= beyond
        or any(each.through < newest for each in subscribers)
        or time.monotonic() - changed < 1.0
    ):
        await asyncio.sleep(0.02)
        now = max(each.through for each in subscribers)
        if now != newest:
            newest, changed = now, time.monotonic()
    return newest


def _through(message: bytes) -> int:
    """Return `through_sequence` of an encoded SignalsResponse: the field after the token, without decoding the rest."""
    position = 2 + message[1] if message[0] == 0x0A else 0
    if message[position] != 0x10:
        return 0
    value = shift = 0
    for byte in message[position + 1 :]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value
