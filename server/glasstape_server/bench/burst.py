"""A market closes a bar: how long until every subscriber holds every event?

Subscribers receive and count; they do not decode events. Server and subscribers share the machine.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from glasstape.v1 import market_pb2, market_pb2_grpc, signals_pb2

from glasstape_server.bench.serving import server
from glasstape_server.domain import DAY, Bar
from glasstape_server.market.clock import wall_time
from glasstape_server.rpc.convert.market import bar_to

HISTORY = 80
"""Bars of each symbol before the first burst: enough for one window."""
OPTIONS = (("grpc.max_receive_message_length", 1 << 24), ("grpc.max_send_message_length", 1 << 24))


@dataclass(slots=True)
class Reader:
    """What one subscriber has."""

    through: int = 0
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    def reached(self, sequence: int) -> float:
        """When it held everything up to a sequence."""
        return next(moment for moment, through in self.arrivals if through >= sequence)


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds of one burst."""

    acknowledged: float
    """From the first byte sent to the acknowledgement: bars are durable."""
    last_subscriber: float
    """From the acknowledgement to the last subscriber holding every event."""
    total: float
    """From the first byte sent to the last subscriber."""
    events: int


def run(symbols: int, subscribers: int, bursts: int) -> list[Figures]:
    """Measure `bursts` bursts of `symbols` bars with `subscribers` readers."""
    with server() as running:
        return asyncio.run(_measure(running.address, symbols, subscribers, bursts))


def table(figures: list[Figures], symbols: int, subscribers: int) -> str:
    """Median and range of each figure, as Markdown."""
    lines = [
        f"{symbols} symbols, {subscribers} subscribers, {len(figures)} bursts, "
        f"{figures[0].events} events a burst (first one)",
        "",
        "| milliseconds | median | least | most |",
        "|---|---|---|---|",
    ]
    for name, text in (
        ("acknowledged", "sent to acknowledged (durable)"),
        ("last_subscriber", "acknowledged to last subscriber"),
        ("total", "sent to last subscriber"),
    ):
        values = [getattr(figure, name) for figure in figures]
        lines.append(f"| {text} | {statistics.median(values):.0f} | {min(values):.0f} | {max(values):.0f} |")
    return "\n".join(lines)


async def _measure(address: str, symbols: int, subscribers: int, bursts: int) -> list[Figures]:
    start = wall_time() // DAY * DAY - (HISTORY + bursts) * DAY
    closes = _closes(symbols, HISTORY + bursts)
    async with grpc.aio.insecure_channel(address, OPTIONS) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        history = [_request(closes, day, start, backfill=True) for day in range(HISTORY)]
        async for _ in publish(_each(history)):
            pass
        readers = [Reader() for _ in range(subscribers)]
        following = [asyncio.create_task(_follow(address, reader)) for reader in readers]
        await asyncio.gather(*(reader.opened.wait() for reader in readers))
        days = range(HISTORY, HISTORY + bursts)
        figures = [
            await _burst(publish, _request(closes, day, start, backfill=False), readers) for day in days
        ]
        for task in following:
            task.cancel()
        return figures


async def _burst(publish: object, request: market_pb2.PublishBarsRequest, readers: list[Reader]) -> Figures:
    head = readers[0].through
    sent = acknowledged = changed = time.monotonic()
    async for _ in publish(_each([request])):  # type: ignore[operator]
        acknowledged = time.monotonic()
    first = head
    # The burst is over when everybody has reached the newest position and nothing came for a second.
    while head == first or any(r.through < head for r in readers) or time.monotonic() - changed < 1.0:
        newest = max(reader.through for reader in readers)
        if newest != head:
            head, changed = newest, time.monotonic()
        await asyncio.sleep(0.02)
    last = max(reader.reached(head) for reader in readers)
    return Figures(
        acknowledged=1e3 * (acknowledged - sent),
        last_subscriber=1e3 * (last - acknowledged),
        total=1e3 * (last - sent),
        events=head - first,
    )


async def _follow(address: str, reader: Reader) -> None:
    options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    request = signals_pb2.SignalsRequest(start=signals_pb2.START_LIVE).SerializeToString()
    async with grpc.aio.insecure_channel(address, options) as channel:
        stream: Any = channel.unary_stream("/glasstape.v1.SignalService/Signals")
        async for raw in stream(request):
            reader.through = _through(raw)
            reader.arrivals.append((time.monotonic(), reader.through))
            reader.opened.set()


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


async def _each(
    requests: list[market_pb2.PublishBarsRequest],
) -> AsyncIterator[market_pb2.PublishBarsRequest]:
    for request in requests:
        yield request


def _closes(symbols: int, days: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    steps = np.random.default_rng(0).normal(0, 0.01, (days, symbols))
    return np.asarray(100 * np.exp(steps.cumsum(axis=0)))


def _request(
    closes: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", day: int, start: int, *, backfill: bool
) -> market_pb2.PublishBarsRequest:
    bars = [
        Bar(f"S{number:05d}", "1d", start + day * DAY, close, close * 1.01, close * 0.99, close, 1000.0)
        for number, close in enumerate(closes[day].tolist())
    ]
    return market_pb2.PublishBarsRequest(bars=[bar_to(bar) for bar in bars], backfill=backfill)
