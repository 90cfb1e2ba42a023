"""`glasstape bench feed`: one feed to hundreds of subscribers, at a steady pace and as fast as it goes.

Subscribers receive and count; they do not decode events. The server's processor time is the system's own count.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from glasstape.v1 import market_pb2, market_pb2_grpc

from glasstape_server.bench.market_load import OPTIONS, Closes, Reader
from glasstape_server.bench.report import Figure, Report
from glasstape_server.bench.serving import Running, server


@dataclass(frozen=True, slots=True)
class _Round:
    delivered: float
    """Events a second, over all subscribers."""
    cores: float
    """Of the server."""
    lag: float
    """Seconds from the last acknowledgement to the last subscriber."""


def run(subscribers: int, symbols: int, seconds: int, rounds: int) -> Report:
    """Measure closes of `symbols` bars a second to `subscribers` readers.

    Raises:
        ValueError: the system does not count a process's time in /proc.
    """
    if not Path("/proc/self/stat").is_file():
        raise ValueError("feed: needs Linux: processor time is read from /proc")
    with server() as running:
        paced, flat_out = asyncio.run(_measure(running, subscribers, symbols, seconds, rounds))
    figures = []
    for what, made in (("one close a second", paced), ("closes back to back", flat_out)):
        figures += [
            Figure(f"{what}: events delivered", "/s", [one.delivered for one in made]),
            Figure(f"{what}: the server's share of a core", "", [one.cores for one in made]),
            Figure(f"{what}: last acknowledgement to last subscriber", "s", [one.lag for one in made]),
        ]
    how = (
        f"{symbols} symbols to {subscribers} subscribers, each on a connection of its own, {rounds} rounds of "
        f"{seconds} closes; predicting, journalling and fsync included."
    )
    return Report("Fan-out", how, figures)


async def _measure(
    running: Running, subscribers: int, symbols: int, seconds: int, rounds: int
) -> tuple[list[_Round], list[_Round]]:
    closes = Closes(symbols, 2 * seconds * rounds)
    async with grpc.aio.insecure_channel(running.address, OPTIONS) as channel:
        publish = market_pb2_grpc.MarketServiceStub(channel).PublishBars
        for request in closes.history():
            await publish(request)
        readers = [Reader() for _ in range(subscribers)]
        following = [asyncio.create_task(reader.follow(running.address)) for reader in readers]
        await asyncio.gather(*(reader.opened.wait() for reader in readers))
        made: dict[bool, list[_Round]] = {True: [], False: []}
        day = 0
        for _ in range(rounds):
            for paced in made:
                requests = [closes.day(day + second) for second in range(seconds)]
                made[paced].append(await _round(publish, running.pid, requests, readers, paced=paced))
                day += seconds
        for task in following:
            task.cancel()
        return made[True], made[False]


async def _round(
    publish: object,
    pid: int,
    requests: list[market_pb2.PublishBarsRequest],
    readers: list[Reader],
    *,
    paced: bool,
) -> _Round:
    head, begun, spent = readers[0].through, time.monotonic(), _processor_seconds(pid)
    for number, request in enumerate(requests):
        if paced:
            await asyncio.sleep(max(0.0, begun + number - time.monotonic()))
        await publish(request)  # type: ignore[operator]
        acknowledged = time.monotonic()
    through, took = await _settled(readers), time.monotonic()
    last = max(reader.reached(through) for reader in readers)
    wall = max(last, begun + len(requests)) - begun if paced else last - begun
    cores = (_processor_seconds(pid) - spent) / (took - begun)
    return _Round((through - head) * len(readers) / wall, cores, last - acknowledged)


async def _settled(readers: list[Reader]) -> int:
    """The position that everybody has reached after nothing new came for a second."""
    newest, changed = max(reader.through for reader in readers), time.monotonic()
    while time.monotonic() - changed < 1.0 or any(reader.through < newest for reader in readers):
        await asyncio.sleep(0.02)
        now = max(reader.through for reader in readers)
        if now != newest:
            newest, changed = now, time.monotonic()
    return newest


def _processor_seconds(pid: int) -> float:
    """User and system time that a process has taken; fields 14 and 15 of proc(5)'s stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
