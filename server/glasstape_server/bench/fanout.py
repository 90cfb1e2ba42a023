"""`glasstape bench feed`: one feed to hundreds of subscribers, at a steady rate and at full speed.

Subscribers receive and count; they do not decode events. CPU time of the server is that of the operating system.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from glasstape.v1 import market_pb2, market_pb2_grpc

from glasstape_server.bench.market_load import OPTIONS, CountingSubscriber, SyntheticBars, settled
from glasstape_server.bench.report import BenchmarkReport, Measurement
from glasstape_server.bench.serving import BenchmarkServer, server


@dataclass(frozen=True, slots=True)
class _Round:
    delivered: float
    """Events per second, over all subscribers."""
    cores: float
    """CPU cores used by the server."""
    lag: float
    """From the last acknowledgment to the last subscriber, seconds."""


def run(subscribers: int, symbols: int, closes: int, rounds: int) -> BenchmarkReport:
    """Measure closes of `symbols` bars with `subscribers` subscribers.

    Raises:
        ValueError: the system is not Linux.
    """
    if not Path("/proc/self/stat").is_file():
        raise ValueError("feed: requires Linux, CPU time is read from /proc")
    with server() as running:
        paced, unpaced = asyncio.run(_measure(running, subscribers, symbols, closes, rounds))
    measurements = []
    for label, results in (("one close per second", paced), ("closes back to back", unpaced)):
        measurements += [
            Measurement(f"{label}: events delivered", "/s", [each.delivered for each in results]),
            Measurement(f"{label}: CPU cores of the server", "", [each.cores for each in results]),
            Measurement(f"{label}: last acknowledgment to last subscriber", "s", [r.lag for r in results]),
        ]
    setup = (
        f"{symbols} symbols, {subscribers} subscribers on a connection each, {rounds} rounds of {closes} closes; "
        "includes predicting, journaling and fsync."
    )
    return BenchmarkReport("Fan-out", setup, measurements)


async def _measure(
    running: BenchmarkServer, subscribers: int, symbols: int, closes: int, rounds: int
) -> tuple[list[_Round], list[_Round]]:
    bars = SyntheticBars(symbols, 2 * closes * rounds)
    async with grpc.aio.insecure_channel(running.address, OPTIONS) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        for request in bars.history():
            await publish(request)
        following = [CountingSubscriber() for _ in range(subscribers)]
        tasks = [asyncio.create_task(subscriber.follow(running.address)) for subscriber in following]
        await asyncio.gather(*(subscriber.opened.wait() for subscriber in following))
        results: dict[bool, list[_Round]] = {True: [], False: []}
        day = 0
        for _ in range(rounds):
            for paced, of_kind in results.items():
                requests = [bars.day(day + number) for number in range(closes)]
                of_kind.append(await _round(publish, running.pid, requests, following, paced=paced))
                day += closes
        for task in tasks:
            task.cancel()
        return results[True], results[False]


async def _round(
    publish: object,
    pid: int,
    requests: list[market_pb2.PublishBarsRequest],
    subscribers: list[CountingSubscriber],
    *,
    paced: bool,
) -> _Round:
    before, started, cpu = subscribers[0].through, time.monotonic(), _cpu_seconds(pid)
    for number, request in enumerate(requests):
        if paced:
            await asyncio.sleep(max(0.0, started + number - time.monotonic()))
        await publish(request)  # type: ignore[operator]
        acknowledged = time.monotonic()
    through, ended = await settled(subscribers), time.monotonic()
    last = max(subscriber.reached(through) for subscriber in subscribers)
    wall = max(last, started + len(requests)) - started if paced else last - started
    cores = (_cpu_seconds(pid) - cpu) / (ended - started)
    return _Round((through - before) * len(subscribers) / wall, cores, last - acknowledged)


def _cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process, seconds: fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
