"""Server that sends a prepared feed as fast as it is read, to measure readers."""

import asyncio
import sys
from typing import Any

import grpc
from glasstape.v1 import signals_pb2 as pb

from glasstape_server.domain.bars import Bar, DataState
from glasstape_server.domain.signals import Confidence, Entry, Event, ModelRef, Signal
from glasstape_server.domain.times import DAY
from glasstape_server.market.clock import wall_time
from glasstape_server.rpc.convert.predictions import ref_to
from glasstape_server.rpc.convert.signals import encode_event, event_message
from glasstape_server.transport.grpcio_server import SIGNALS

EVENTS_PER_MESSAGE = 64
"""Of a feed whose bars close one by one."""
EVENTS_PER_CLOSE = 4096
"""Of a feed whose bars close together: the most that a server sends at once."""
SYMBOLS = 3000


def messages(events: int, per_message: int = EVENTS_PER_MESSAGE) -> list[bytes]:
    """Return encoded messages: an opened message, and batches of `events` events in all."""
    now, ref = wall_time(), ModelRef("sample-conv1d", "1", "a" * 64, "b" * 64)
    encoded, batch = [], pb.EventBatch()
    opened = pb.Opened(result=pb.OPEN_RESULT_STARTED, epoch="00" * 8, contract_version="1.0")
    encoded.append(pb.SignalsResponse(resume_token=b"0", opened=opened).SerializeToString())
    for sequence in range(1, events + 1):
        symbol = f"S{sequence % SYMBOLS:05d}"
        bar = Bar(symbol, "1d", now // DAY * DAY, 100.0, 101.0, 99.0, 100.5, 1000.0)
        confidence = Confidence(0.2, 0.3, 0.5, False, 0.25)
        signal = Signal(confidence, bar, 100.0, 1, Entry.NEXT_CLOSE, now + DAY, DataState.LIVE, 0.01)
        event = Event(sequence, symbol, "1d", bar.close_time, now, ref, signal)
        batch.events.append(event_message(encode_event(event), 0))
        if len(batch.events) == per_message or sequence == events:
            batch.models.append(ref_to(ref))
            response = pb.SignalsResponse(
                resume_token=str(sequence).encode(), through_sequence=sequence, batch=batch
            )
            encoded.append(response.SerializeToString())
            batch = pb.EventBatch()
    return encoded


async def serve(events: int, per_message: int) -> None:
    """Serve on a free port, and print it as `glasstape serve` does."""
    prepared = messages(events, per_message)

    async def signals(request: bytes, context: Any) -> None:
        for message in prepared:
            await context.write(message)
        await asyncio.sleep(3600)

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    _, service, method = SIGNALS.split("/")
    handler: Any = grpc.unary_stream_rpc_method_handler(signals)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"serving on 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:])))
