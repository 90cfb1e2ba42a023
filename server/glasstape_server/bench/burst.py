"""A market closes a bar: how long until every subscriber holds every event?

Subscribers receive and count; they do not decode events. Server and subscribers share the machine.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from glasstape.v1 import market_pb2, market_pb2_grpc

from glasstape_server.bench.market_load import OPTIONS, Closes, Reader
from glasstape_server.bench.report import Figure, Report
from glasstape_server.bench.serving import server


@dataclass(frozen=True, slots=True)
class _Burst:
    """Milliseconds of one burst."""

    acknowledged: float
    last_subscriber: float
    events: int


def run(symbols: int, subscribers: int, bursts: int) -> Report:
    """Measure `bursts` bursts of `symbols` bars with `subscribers` readers."""
    with server() as running:
        made = asyncio.run(_measure(running.address, symbols, subscribers, bursts))
    figures = [
        Figure("sent to acknowledged (durable)", "ms", [one.acknowledged for one in made]),
        Figure("acknowledged to last subscriber", "ms", [one.last_subscriber for one in made]),
        Figure("sent to last subscriber", "ms", [one.acknowledged + one.last_subscriber for one in made]),
    ]
    how = f"{symbols} symbols, {subscribers} subscribers, {bursts} bursts, {made[0].events} events a burst (first one)."
    return Report("A market closes", how, figures)


async def _measure(address: str, symbols: int, subscribers: int, bursts: int) -> Sequence[_Burst]:
    closes = Closes(symbols, bursts)
    async with grpc.aio.insecure_channel(address, OPTIONS) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        for request in closes.history():
            await publish(request)
        readers = [Reader() for _ in range(subscribers)]
        following = [asyncio.create_task(reader.follow(address)) for reader in readers]
        await asyncio.gather(*(reader.opened.wait() for reader in readers))
        made = [await _burst(publish, closes.day(day), readers) for day in range(bursts)]
        for task in following:
            task.cancel()
        return made


async def _burst(publish: object, request: market_pb2.PublishBarsRequest, readers: list[Reader]) -> _Burst:
    head = readers[0].through
    sent = time.monotonic()
    await publish(request)  # type: ignore[operator]
    acknowledged = changed = time.monotonic()
    first = head
    # The burst is over when everybody has reached the newest position and nothing came for a second.
    while head == first or any(r.through < head for r in readers) or time.monotonic() - changed < 1.0:
        newest = max(reader.through for reader in readers)
        if newest != head:
            head, changed = newest, time.monotonic()
        await asyncio.sleep(0.02)
    last = max(reader.reached(head) for reader in readers)
    return _Burst(1e3 * (acknowledged - sent), 1e3 * (last - acknowledged), head - first)
