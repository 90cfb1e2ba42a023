"""`glasstape bench sdk`: how many events of the feed one process reads in a second."""

import asyncio
import time
from typing import Any

import grpc
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.bench.firehose import IN_A_MESSAGE
from glasstape_server.bench.report import Figure, Report, ratios
from glasstape_server.bench.serving import process
from glasstape_server.transport.grpcio_server import SIGNALS


def run(events: int, rounds: int) -> Report:
    """Measure."""
    import glasstape

    found: dict[str, list[float]] = {"Client": [], "AsyncClient": [], "grpc.aio, parsed": []}
    with process("glasstape_server.bench.firehose", str(events)) as running:
        for _ in range(rounds):
            with glasstape.Client(running.address) as client, client.signals(resume_token=b"-") as stream:
                begun = time.perf_counter()
                for count, _ in enumerate(stream, 1):
                    if count == events:
                        break
                found["Client"].append(events / (time.perf_counter() - begun))
            found["AsyncClient"].append(events / asyncio.run(_read_async(running.address, events)))
            found["grpc.aio, parsed"].append(events / asyncio.run(_read_bare(running.address, events)))
    bare = found["grpc.aio, parsed"]
    figures = [
        Figure(
            f"events read: {name}", "/s", values, {} if values is bare else {"grpc.aio": ratios(values, bare)}
        )
        for name, values in found.items()
    ]
    how = f"{rounds} rounds of {events:,} confidences, {IN_A_MESSAGE} in a message."
    return Report("Reading the feed", how, figures)


async def _read_async(address: str, events: int) -> float:
    import glasstape

    async with glasstape.AsyncClient(address) as client, client.signals(resume_token=b"-") as stream:
        begun, count = time.perf_counter(), 0
        async for _ in stream:
            count += 1
            if count == events:
                break
        return time.perf_counter() - begun


async def _read_bare(address: str, events: int) -> float:
    """Messages parsed, nothing made of them."""
    async with grpc.aio.insecure_channel(address) as channel:
        begun = time.perf_counter()
        call: Any = channel.unary_stream(SIGNALS)
        async for message in call(b""):
            if pb.SignalsResponse.FromString(message).through_sequence >= events:
                break
        return time.perf_counter() - begun
