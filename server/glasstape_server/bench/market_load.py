"""A made-up market for benchmarks of the feed: who publishes its bars, and who only counts what comes of them."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from glasstape.v1 import market_pb2, signals_pb2

from glasstape_server.domain.values import DAY, Bar
from glasstape_server.market.clock import wall_time
from glasstape_server.rpc.convert.market import bar_to
from glasstape_server.transport.grpcio_server import SIGNALS

HISTORY = 80
"""Bars of each symbol before the first burst: enough for one window."""
OPTIONS = (("grpc.max_receive_message_length", 1 << 24), ("grpc.max_send_message_length", 1 << 24))


class Closes:
    """Bars of many symbols, day by day, the last day yesterday."""

    def __init__(self, symbols: int, days: int) -> None:
        steps = np.random.default_rng(0).normal(0, 0.01, (HISTORY + days, symbols))
        self._closes = 100 * np.exp(steps.cumsum(axis=0))
        self._start = wall_time() // DAY * DAY - (HISTORY + days) * DAY

    def history(self) -> list[market_pb2.PublishBarsRequest]:
        """Bars before the first day, that are stored and not signalled."""
        return [self._request(day, backfill=True) for day in range(HISTORY)]

    def day(self, day: int) -> market_pb2.PublishBarsRequest:
        """The bars of one day after the history, from 0."""
        return self._request(HISTORY + day, backfill=False)

    def _request(self, day: int, *, backfill: bool) -> market_pb2.PublishBarsRequest:
        time_ = self._start + day * DAY
        bars = [
            Bar(f"S{number:05d}", "1d", time_, close, close * 1.01, close * 0.99, close, 1000.0)
            for number, close in enumerate(self._closes[day].tolist())
        ]
        mode = market_pb2.BAR_MODE_BACKFILL if backfill else market_pb2.BAR_MODE_FINAL
        return market_pb2.PublishBarsRequest(bars=[bar_to(bar) for bar in bars], mode=mode)


@dataclass(slots=True)
class Reader:
    """What one subscriber has."""

    through: int = 0
    messages: int = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, sequence: int) -> float:
        """When it held everything up to a sequence."""
        return next(moment for moment, through in self.arrivals if through >= sequence)

    async def follow(self, address: str) -> None:
        """Read for ever on a connection of its own, without decoding events."""
        options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        request = signals_pb2.SignalsRequest(start=signals_pb2.SignalsRequest.START_LIVE).SerializeToString()
        async with grpc.aio.insecure_channel(address, options) as channel:
            stream: Any = channel.unary_stream(SIGNALS)
            async for raw in stream(request):
                self.messages += 1
                through = _through(raw)
                if through != self.through:
                    self.through = through
                    self.arrivals.append((time.monotonic(), through))
                self.opened.set()


def _through(raw: bytes) -> int:
    """`through_sequence` of a SignalsResponse, without decoding its events: it stands right behind the token."""
    position = 2 + raw[1] if raw[0] == 0x0A else 0
    if raw[position] != 0x10:
        return 0
    value = shift = 0
    for byte in raw[position + 1 :]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value
