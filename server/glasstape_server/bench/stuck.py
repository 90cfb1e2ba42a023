"""`glasstape bench stuck`: what a reader that never reads costs the others, and when it is sent away."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from glasstape.v1 import market_pb2_grpc, signals_pb2

from glasstape_server.bench.market_load import OPTIONS, Closes, Reader
from glasstape_server.bench.report import Figure, Report
from glasstape_server.bench.serving import Running, server
from glasstape_server.transport.grpcio_server import SIGNALS

PAUSE = 0.25
"""Seconds between closes: all of one has arrived long before the next."""
ALLOWED = 60.0
"""Seconds after which a reader that never reads must be gone."""
TOKEN_FIELD = 0x0A
"""Tag of `resume_token`, which stands first in a message."""


def run(subscribers: int, symbols: int, closes: int, rounds: int, wait: float = ALLOWED) -> Report:
    """Measure how long a close takes to each reader, without and beside one that never reads.

    The last of those is asked for its end `wait` seconds after it stopped reading.

    Raises:
        ValueError: the system does not count a process's memory in /proc.
    """
    if not Path("/proc/self/statm").is_file():
        raise ValueError("stuck: needs Linux: memory is read from /proc")
    with server() as running:
        found = asyncio.run(_measure(running, subscribers, symbols, closes, rounds, wait))
    alone, beside, grown, ended, tokens = found
    ratios = {"alone": [b / a for a, b in zip(alone, beside, strict=True)]}
    figures = [
        Figure("99 % of closes reach a reader within, alone", "ms", alone),
        Figure("the same beside a reader that never reads", "ms", beside, ratios),
        Figure("memory of the server more than before it", "MiB", grown),
        Figure(f"readers that never read, ended within {wait:.0f} s with SLOW_CONSUMER", "", [ended]),
        Figure("of these, with a token to go on from", "", [tokens]),
    ]
    how = f"{symbols} symbols to {subscribers} readers, {rounds} rounds of {closes} closes, turn about."
    return Report("Beside a reader that never reads", how, figures)


async def _measure(
    running: Running, subscribers: int, symbols: int, closes: int, rounds: int, wait: float
) -> tuple[list[float], list[float], list[float], float, float]:
    market = Closes(symbols, 2 * closes * rounds + int(ALLOWED / PAUSE) + 8)
    day = 0
    async with grpc.aio.insecure_channel(running.address, OPTIONS) as channel:
        publish: Any = market_pb2_grpc.MarketServiceStub(channel).PublishBars

        async def close() -> list[float]:
            """Publish one, and wait. How long it took to each reader, in milliseconds."""
            nonlocal day
            begun = time.monotonic()
            await publish(market.day(day))
            day += 1
            await asyncio.sleep(PAUSE)
            return [1000 * (reader.arrivals[-1][0] - begun) for reader in readers]

        async def tail() -> float:
            return float(np.percentile([took for _ in range(closes) for took in await close()], 99))

        for request in market.history():
            await publish(request)
        readers = [Reader() for _ in range(subscribers)]
        following = [asyncio.create_task(reader.follow(running.address)) for reader in readers]
        await asyncio.gather(*(reader.opened.wait() for reader in readers))
        for _ in range(4):
            await close()
        alone, beside, grown, stuck = [], [], [], []
        for _ in range(rounds):
            alone.append(await tail())
            before = _resident(running.pid)
            stuck.append(await _Stuck.open(running.address))
            beside.append(await tail())
            grown.append((_resident(running.pid) - before) / 2**20)
        while time.monotonic() - stuck[-1].since < wait:
            await close()
        ends = [await one.end() for one in stuck]
        for task in following:
            task.cancel()
    ended = [token for cut_off, token in ends if cut_off]
    return alone, beside, grown, len(ended) / rounds, sum(ended) / rounds


class _Stuck:
    """A reader on a connection of its own that reads nothing until it is asked for its end."""

    def __init__(self, channel: grpc.aio.Channel, call: Any) -> None:
        self._channel = channel
        self._call = call
        self.since = time.monotonic()

    @classmethod
    async def open(cls, address: str) -> "_Stuck":
        channel = grpc.aio.insecure_channel(address, (*OPTIONS, ("grpc.use_local_subchannel_pool", 1)))
        stream: Any = channel.unary_stream(SIGNALS)
        call = stream(
            signals_pb2.SignalsRequest(start=signals_pb2.SignalsRequest.START_LIVE).SerializeToString()
        )
        await call.read()
        return cls(channel, call)

    async def end(self) -> tuple[bool, bool]:
        """Whether it was cut off as too slow, and whether it holds a token. Reads what lies in buffers."""
        token = False
        try:
            async with asyncio.timeout(5):
                while (raw := await self._call.read()) is not grpc.aio.EOF:
                    token |= raw[:1] == bytes([TOKEN_FIELD])
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, token
        except TimeoutError:
            return False, token
        finally:
            await self._channel.close()
        return False, token


def _resident(pid: int) -> int:
    """Resident memory of a process, in bytes; proc(5)'s statm."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
