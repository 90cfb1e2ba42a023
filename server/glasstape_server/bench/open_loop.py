"""`glasstape bench arrivals`: latency of Predict under open-loop load.

A closed loop waits for a slow server and therefore underestimates its latency ("coordinated omission"). Here calls
arrive as a Poisson process, and the latency of a call counts from its scheduled time.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np

from glasstape_server.bench.calls import request_of, servers
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios

RATES = (200, 800)
"""Calls per second."""
PERCENTILES = (50, 99)


@dataclass(frozen=True, slots=True)
class _Series:
    """Latency percentile of one server at one rate."""

    rate: int
    percentile: int
    server: str


def run(rounds: int, seconds: float) -> BenchmarkReport:
    """Measure calls with one window.

    Args:
        rounds: of each rate and server.
        seconds: of each measurement.
    """
    latencies: dict[_Series, list[float]] = {}
    with servers() as addresses:
        for lap in range(rounds + 1):
            for rate in RATES:
                for name, address in addresses.items():
                    measured = asyncio.run(_load(address, rate, seconds, seed=lap))
                    for percentile in PERCENTILES if lap else ():  # lap 0 is the warm-up
                        value = 1e3 * float(np.percentile(measured, percentile))
                        latencies.setdefault(_Series(rate, percentile, name), []).append(value)
    measurements = [_measurement(series, latencies) for series in latencies]
    setup = (
        f"Poisson arrivals, {rounds} alternating rounds of {seconds:g} s, one window per call, "
        "the client in Python on the same machine."
    )
    return BenchmarkReport("Predict, open loop", setup, measurements)


def _measurement(series: _Series, latencies: dict[_Series, list[float]]) -> Measurement:
    values, echo = latencies[series], _Series(series.rate, series.percentile, "echo")
    to_echo = {} if series == echo else {"echo": ratios(values, latencies[echo])}
    label = f"{series.rate} calls/s, p{series.percentile}: {series.server}"
    return Measurement(label, "ms", values, to_echo)


async def _load(address: str, rate: int, seconds: float, *, seed: int) -> Sequence[float]:
    """Return the latency of each call from its scheduled time, seconds."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(rate * seconds))
    path, message = request_of(explain=False, count=1)
    latencies: list[float] = []

    async def call_once(method: Any, scheduled: float) -> None:
        await method(message)
        latencies.append(time.perf_counter() - scheduled)

    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_unary(path)
        await method(message)
        start = time.perf_counter()
        async with asyncio.TaskGroup() as calls:
            for scheduled in start + gaps.cumsum():
                await asyncio.sleep(scheduled - time.perf_counter())
                calls.create_task(call_once(method, float(scheduled)))
    return latencies
