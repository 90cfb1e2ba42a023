"""`glasstape bench sdk`: events of the feed that one process reads per second."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.bench.firehose import EVENTS_PER_CLOSE, EVENTS_PER_MESSAGE
from glasstape_server.bench.report import BenchmarkReport, Measurement, ratios
from glasstape_server.bench.serving import process
from glasstape_server.transport.grpcio_server import SIGNALS

REFERENCE = "grpc.aio, parsed"
FIREHOSE = "glasstape_server.bench.firehose"


def run(events: int, rounds: int) -> BenchmarkReport:
    """Measure the SDK's clients, and grpc.aio with parsed messages as the reference."""
    rates: dict[str, list[float]] = {}

    def add(name: str, seconds: float) -> None:
        rates.setdefault(name, []).append(events / seconds)

    with (
        process(FIREHOSE, str(events), str(EVENTS_PER_MESSAGE)) as running,
        process(FIREHOSE, str(events), str(EVENTS_PER_CLOSE)) as closes,
    ):
        for _ in range(rounds):
            add("Client", _read(running.address, events, lambda event: None))
            add("Client, fields read", _read(running.address, events, _fields))
            add("AsyncClient", asyncio.run(_read_async(running.address, events)))
            add(REFERENCE, asyncio.run(_read_messages(running.address, events)))
            add("Client, columns", _read_columns(closes.address, events))
    measurements = [
        Measurement(
            f"events read: {name}",
            "/s",
            values,
            {} if name == REFERENCE else {"grpc.aio": ratios(values, rates[REFERENCE])},
        )
        for name, values in rates.items()
    ]
    setup = (
        f"{rounds} rounds of {events:,} confidences, {EVENTS_PER_MESSAGE} per message; "
        f"columns: {EVENTS_PER_CLOSE:,} per message, as of a market's close."
    )
    return BenchmarkReport("Reading the feed", setup, measurements)


def _fields(event: Any) -> object:
    return event.sequence, event.symbol, event.bar_close_time, event.signal.probabilities.up


def _read(address: str, events: int, use: Callable[[Any], object]) -> float:
    """Return the seconds that `Client` takes."""
    import glasstape

    with glasstape.Client(address) as client, client.signals(resume_token=b"-") as stream:
        started = time.perf_counter()
        for count, event in enumerate(stream, 1):
            use(event)
            if count == events:
                break
        return time.perf_counter() - started


def _read_columns(address: str, events: int) -> float:
    """Return the seconds that `Client` takes with numpy arrays."""
    import glasstape

    with glasstape.Client(address) as client, client.signals(resume_token=b"-") as stream:
        started, count = time.perf_counter(), 0
        for message in stream.messages():
            if isinstance(message, glasstape.EventBatch):
                count += len(message.columns())
                if count >= events:
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
