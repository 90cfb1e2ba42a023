"""`glasstape bench burst`: time from the close of a market's bars until every subscriber holds every event.

Subscribers receive and count; they do not decode events. Server and subscribers share the machine.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from glasstape.v1 import market_pb2, market_pb2_grpc

from glasstape_server.bench.market_load import OPTIONS, CountingSubscriber, SyntheticBars, settled
from glasstape_server.bench.report import BenchmarkReport, Measurement
from glasstape_server.bench.serving import server


@dataclass(frozen=True, slots=True)
class _BurstTimes:
    acknowledged: float
    """From sending to acknowledgment, ms."""
    last_subscriber: float
    """From acknowledgment to the last subscriber, ms."""
    events: int


def run(symbols: int, subscribers: int, bursts: int) -> BenchmarkReport:
    """Measure `bursts` bursts of `symbols` bars with `subscribers` subscribers."""
    with server() as running:
        times = asyncio.run(_measure(running.address, symbols, subscribers, bursts))
    measurements = [
        Measurement("sent to acknowledged (durable)", "ms", [t.acknowledged for t in times]),
        Measurement("acknowledged to last subscriber", "ms", [t.last_subscriber for t in times]),
        Measurement("sent to last subscriber", "ms", [t.acknowledged + t.last_subscriber for t in times]),
    ]
    events = times[0].events
    setup = (
        f"{symbols} symbols, {subscribers} subscribers, {bursts} bursts, {events} events in the first burst."
    )
    return BenchmarkReport("Close of a market's bars", setup, measurements)


async def _measure(address: str, symbols: int, subscribers: int, bursts: int) -> Sequence[_BurstTimes]:
    bars = SyntheticBars(symbols, bursts)
    async with grpc.aio.insecure_channel(address, OPTIONS) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        for request in bars.history():
            await publish(request)
        following = [CountingSubscriber() for _ in range(subscribers)]
        tasks = [asyncio.create_task(subscriber.follow(address)) for subscriber in following]
        await asyncio.gather(*(subscriber.opened.wait() for subscriber in following))
        times = [await _burst(publish, bars.day(day), following) for day in range(bursts)]
        for task in tasks:
            task.cancel()
        return times


async def _burst(
    publish: object, request: market_pb2.PublishBarsRequest, subscribers: list[CountingSubscriber]
) -> _BurstTimes:
    before = subscribers[0].through
    sent = time.monotonic()
    await publish(request)  # type: ignore[operator]
    acknowledged = time.monotonic()
    head = await settled(subscribers, beyond=before)
    last = max(subscriber.reached(head) for subscriber in subscribers)
    return _BurstTimes(1e3 * (acknowledged - sent), 1e3 * (last - acknowledged), head - before)
