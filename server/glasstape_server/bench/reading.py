"""`glasstape bench sdk`: events of the feed that one process reads per second."""

import asyncio
import time
from typing import Any

import grpc
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.bench.firehose import EVENTS_PER_MESSAGE
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import process
from glasstape_server.transport.grpcio_server import SIGNALS

REFERENCE = "grpc.aio, parsed"


def run(events: int, rounds: int) -> BenchmarkReport:
    """Measure the SDK's clients, and grpc.aio with parsed messages as the reference."""
    rates: dict[str, list[float]] = {"Client": [], "AsyncClient": [], REFERENCE: []}
    with process("glasstape_server.bench.firehose", str(events)) as running:
        for _ in range(rounds):
            rates["Client"].append(events / _read(running.address, events))
            rates["AsyncClient"].append(events / asyncio.run(_read_async(running.address, events)))
            rates[REFERENCE].append(events / asyncio.run(_read_messages(running.address, events)))
    measurements = [
        Measurement(
            f"events read: {name}",
            "/s",
            values,
            {} if name == REFERENCE else {"grpc.aio": ratios(values, rates[REFERENCE])},
        )
        for name, values in rates.items()
    ]
    setup = f"{rounds} rounds of {events:,} confidences, {EVENTS_PER_MESSAGE} per message."
    return BenchmarkReport("Reading the feed", setup, measurements)


def _read(address: str, events: int) -> float:
    """Return the seconds that `Client` takes."""
    import glasstape

    with glasstape.Client(address) as client, client.signals(resume_token=b"-") as stream:
        started = time.perf_counter()
        for count, _ in enumerate(stream, 1):
            if count == events:
                break
        return time.perf_counter() - started


async def _read_async(address: str, events: int) -> float:
    """Return the seconds that `AsyncClient` takes."""
    import glasstape

    async with glasstape.AsyncClient(address) as client, client.signals(resume_token=b"-") as stream:
        started, count = time.perf_counter(), 0
        async for _ in stream:
            count += 1
            if count == events:
                break
        return time.perf_counter() - started


async def _read_messages(address: str, events: int) -> float:
    """Return the seconds that grpc.aio takes with messages that are parsed and discarded."""
    async with grpc.aio.insecure_channel(address) as channel:
        started = time.perf_counter()
        call: Any = channel.unary_stream(SIGNALS)
        async for message in call(b""):
            if pb.SignalsResponse.FromString(message).through_sequence >= events:
                break
        return time.perf_counter() - started
