"""`glasstape bench cluster`: a market's close on three servers and three brokers, relative to one server alone.

All of them and the subscribers share the machine, so the figures of the cluster include three times the work. The
subscribers are on all servers; the lag is between the first and the last server whose subscribers hold a burst.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
from glasstape.v1 import market_pb2, market_pb2_grpc

from glasstape_server.bench.brokers import brokers
from glasstape_server.bench.market_load import OPTIONS, CountingSubscriber, SyntheticBars, settled
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import server

SERVERS = 3
REFERENCE = "one server"


@dataclass(frozen=True, slots=True)
class _CloseTimes:
    """One close, milliseconds."""

    acknowledged: float
    """From sending to acknowledgment."""
    last_subscriber: float
    """From sending to the last subscriber of all servers."""
    lag: float
    """From the first server whose subscribers hold every event to the last one."""


def run(symbols: int, subscribers: int, closes: int) -> BenchmarkReport:
    """Measure `closes` closes of `symbols` bars, with `subscribers` subscribers on each server.

    Raises:
        ValueError: nats-server is not installed.
        RuntimeError: a process did not start.
    """
    with tempfile.TemporaryDirectory(prefix="glasstape-bench-brokers-") as folder, ExitStack() as running:
        urls = running.enter_context(brokers(Path(folder)))
        alone = running.enter_context(server()).address
        members = [running.enter_context(server("--cluster", urls)).address for _ in range(SERVERS)]
        single, cluster = asyncio.run(_measure([[alone], members], symbols, subscribers, closes))
    acknowledged, last, lag = ([getattr(t, name) for t in cluster] for name in _CloseTimes.__slots__)
    acknowledged_alone = [t.acknowledged for t in single]
    last_alone = [t.last_subscriber for t in single]
    measurements = [
        Measurement(
            "sent to acknowledged", "ms", acknowledged, {REFERENCE: ratios(acknowledged, acknowledged_alone)}
        ),
        Measurement("sent to last subscriber", "ms", last, {REFERENCE: ratios(last, last_alone)}),
        Measurement(f"{REFERENCE}: sent to acknowledged", "ms", acknowledged_alone),
        Measurement(f"{REFERENCE}: sent to last subscriber", "ms", last_alone),
        Measurement("first server to last server", "ms", lag),
    ]
    setup = f"{symbols} symbols, {SERVERS} servers with {subscribers} subscribers each, 3 brokers, {closes} closes."
    return BenchmarkReport("Close of a market's bars in a cluster", setup, measurements)


async def _measure(
    targets: Sequence[Sequence[str]], symbols: int, subscribers: int, closes: int
) -> list[list[_CloseTimes]]:
    """Measure every close on each target in turn, so that noise affects all."""
    bars = SyntheticBars(symbols, closes)
    async with AsyncExitStack() as open_, asyncio.TaskGroup() as following:
        opened = []
        for addresses in targets:
            channel = await open_.enter_async_context(grpc.aio.insecure_channel(addresses[-1], OPTIONS))
            publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
            for request in bars.history():
                await publish(request)
            groups = [[CountingSubscriber() for _ in range(subscribers)] for _ in addresses]
            tasks = [
                following.create_task(subscriber.follow(address))
                for address, group in zip(addresses, groups, strict=True)
                for subscriber in group
            ]
            await asyncio.gather(*(subscriber.opened.wait() for group in groups for subscriber in group))
            opened.append((publish, groups, tasks))
        times: list[list[_CloseTimes]] = [[] for _ in targets]
        for day in range(closes):
            for place, (publish, groups, _) in enumerate(opened):
                times[place].append(await _close(publish, bars.day(day), groups))
        for _, _, tasks in opened:
            for task in tasks:
                task.cancel()
    return times


async def _close(
    publish: object, request: market_pb2.PublishBarsRequest, groups: list[list[CountingSubscriber]]
) -> _CloseTimes:
    before = groups[0][0].through
    sent = time.monotonic()
    await publish(request)  # type: ignore[operator]
    acknowledged = time.monotonic()
    head = await settled([subscriber for group in groups for subscriber in group], beyond=before)
    held = [max(subscriber.reached(head) for subscriber in group) for group in groups]
    return _CloseTimes(1e3 * (acknowledged - sent), 1e3 * (max(held) - sent), 1e3 * (max(held) - min(held)))
