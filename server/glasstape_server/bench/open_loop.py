"""`glasstape bench arrivals`: Predict under calls that come whether or not the last one was answered.

A closed loop waits for a slow server and so measures it kindly ("coordinated omission"). Here calls arrive as a
Poisson process, and a call's latency counts from when it was due.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np

from glasstape_server.bench.calls import request_of, servers
from glasstape_server.bench.report import Figure, Report, ratios

RATES = (200, 800)
"""Calls a second."""
SHARES = (50, 99)


def run(rounds: int, seconds: float) -> Report:
    """Measure one-window predictions."""
    found: dict[tuple[int, int, str], list[float]] = {}
    with servers() as running:
        for lap in range(rounds + 1):
            for rate in RATES:
                for name, address in running.items():
                    latencies = asyncio.run(_load(address, rate, seconds, seed=lap))
                    for share in SHARES if lap else ():  # the first lap warms
                        value = 1e3 * float(np.percentile(latencies, share))
                        found.setdefault((rate, share, name), []).append(value)
    figures = []
    for (rate, share, name), values in found.items():
        of = {} if name == "echo" else {"echo": ratios(values, found[rate, share, "echo"])}
        figures.append(Figure(f"{rate} calls/s, p{share}: {name}", "ms", values, of))
    how = (
        f"Poisson arrivals, {rounds} rounds of {seconds:g} s in turns, one window a call, "
        "the client in Python on the same machine."
    )
    return Report("Predict, open loop", how, figures)


async def _load(address: str, rate: int, seconds: float, *, seed: int) -> Sequence[float]:
    """Latency of each call, in seconds, from when it was due."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(rate * seconds))
    path, message = request_of(explain=False, count=1)
    latencies: list[float] = []

    async def once(method: Any, due: float) -> None:
        await method(message)
        latencies.append(time.perf_counter() - due)

    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_unary(path)
        await method(message)
        start = time.perf_counter()
        async with asyncio.TaskGroup() as calls:
            for due in start + gaps.cumsum():
                await asyncio.sleep(due - time.perf_counter())
                calls.create_task(once(method, float(due)))
    return latencies
