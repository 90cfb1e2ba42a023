"""`glasstape bench stuck`: impact of a stalled subscriber on other subscribers, and when it is disconnected."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from glasstape.v1 import market_pb2_grpc, signals_pb2

from glasstape_server.bench.market_load import OPTIONS, CountingSubscriber, SyntheticBars
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import BenchmarkServer, server
from glasstape_server.transport.grpcio_server import SIGNALS

PAUSE = 0.25
"""Seconds between closes, long enough for all events of a close to arrive."""
DISCONNECT_TIMEOUT_S = 60.0
"""Seconds within which a stalled subscriber must be disconnected."""
TOKEN_FIELD = 0x0A
"""Tag of `resume_token`, the first field of a message."""


def run(
    subscribers: int, symbols: int, closes: int, rounds: int, wait: float = DISCONNECT_TIMEOUT_S
) -> BenchmarkReport:
    """Measure the delivery of closes with and without a stalled subscriber.

    Args:
        subscribers: number of subscribers that read.
        symbols: bars per close.
        closes: per round.
        rounds: of both settings, with one more stalled subscriber in each.
        wait: seconds from the last stall until its stream is checked.

    Raises:
        ValueError: the system is not Linux.
    """
    if not Path("/proc/self/statm").is_file():
        raise ValueError("stuck: requires Linux, memory is read from /proc")
    with server() as running:
        results = asyncio.run(_measure(running, subscribers, symbols, closes, rounds, wait))
    to_alone = {"without": ratios(results.stalled_p99, results.p99)}
    measurements = [
        Measurement("p99 of delivery, without a stalled subscriber", "ms", results.p99),
        Measurement("p99 of delivery, with a stalled subscriber", "ms", results.stalled_p99, to_alone),
        Measurement("memory growth of the server", "MiB", results.growth),
        Measurement(
            f"stalled subscribers disconnected within {wait:.0f} s with SLOW_CONSUMER",
            "",
            [results.disconnected],
        ),
        Measurement("of these, with a resume token", "", [results.with_token]),
    ]
    setup = f"{symbols} symbols, {subscribers} subscribers, {rounds} rounds of {closes} closes, alternating."
    return BenchmarkReport("Stalled subscriber", setup, measurements)


@dataclass(frozen=True, slots=True)
class _StallResults:
    p99: list[float]
    """Of delivery without a stalled subscriber, ms, by round."""
    stalled_p99: list[float]
    """With a stalled subscriber."""
    growth: list[float]
    """Of the server's resident memory, MiB, by round."""
    disconnected: float
    """Share of the stalled subscribers that were disconnected, 0-1."""
    with_token: float
    """Share of the stalled subscribers that were disconnected and hold a resume token, 0-1."""


async def _measure(
    running: BenchmarkServer, subscribers: int, symbols: int, closes: int, rounds: int, wait: float
) -> _StallResults:
    bars = SyntheticBars(symbols, 2 * closes * rounds + int(DISCONNECT_TIMEOUT_S / PAUSE) + 8)
    day = 0
    async with grpc.aio.insecure_channel(running.address, OPTIONS) as channel:
        publish: Any = market_pb2_grpc.MarketServiceStub(channel).PublishBars

        async def close() -> list[float]:
            """Publish one close; return the time of delivery to each subscriber, ms."""
            nonlocal day
            started = time.monotonic()
            await publish(bars.day(day))
            day += 1
            await asyncio.sleep(PAUSE)
            return [1000 * (subscriber.arrivals[-1][0] - started) for subscriber in following]

        async def p99() -> float:
            return float(np.percentile([time for _ in range(closes) for time in await close()], 99))

        for request in bars.history():
            await publish(request)
        following = [CountingSubscriber() for _ in range(subscribers)]
        tasks = [asyncio.create_task(subscriber.follow(running.address)) for subscriber in following]
        await asyncio.gather(*(subscriber.opened.wait() for subscriber in following))
        for _ in range(4):
            await close()
        without, with_stalled, growth, stalled = [], [], [], []
        for _ in range(rounds):
            without.append(await p99())
            before = _resident(running.pid)
            stalled.append(await _StalledSubscriber.open(running.address))
            with_stalled.append(await p99())
            growth.append((_resident(running.pid) - before) / 2**20)
        while time.monotonic() - stalled[-1].since < wait:
            await close()
        ends = [await subscriber.end() for subscriber in stalled]
        for task in tasks:
            task.cancel()
    tokens = [token for disconnected, token in ends if disconnected]
    return _StallResults(without, with_stalled, growth, len(tokens) / rounds, sum(tokens) / rounds)


class _StalledSubscriber:
    """Subscriber on a connection of its own that reads nothing until `end`."""

    def __init__(self, channel: grpc.aio.Channel, call: Any) -> None:
        self._channel = channel
        self._call = call
        self.since = time.monotonic()

    @classmethod
    async def open(cls, address: str) -> "_StalledSubscriber":
        channel = grpc.aio.insecure_channel(address, (*OPTIONS, ("grpc.use_local_subchannel_pool", 1)))
        stream: Any = channel.unary_stream(SIGNALS)
        call = stream(
            signals_pb2.SignalsRequest(start=signals_pb2.SignalsRequest.START_LIVE).SerializeToString()
        )
        await call.read()
        return cls(channel, call)

    async def end(self) -> tuple[bool, bool]:
        """Read buffered messages; return whether the stream ended with SLOW_CONSUMER, and whether it has a token."""
        token = False
        try:
            async with asyncio.timeout(5):
                while (message := await self._call.read()) is not grpc.aio.EOF:
                    token |= message[:1] == bytes([TOKEN_FIELD])
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, token
        except TimeoutError:
            return False, token
        finally:
            await self._channel.close()
        return False, token


def _resident(pid: int) -> int:
    """Return the resident memory of a process, bytes; see statm in proc(5)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
