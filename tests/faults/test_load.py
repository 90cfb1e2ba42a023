"""Load that goes wrong: callers who give up, and readers who all come back at once."""

import asyncio
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
from effort import effort
from glasstape import AsyncClient, Client, EventBatch, Opened
from glasstape.v1 import inference_pb2 as pb
from glasstape_server.transport.grpcio_server import EXPLAIN, PREDICT
from made_up import daily

CANCELLED = effort(400, 10_000)
READERS = effort(40, 1_000)


def _held(server):
    """Descriptors and threads of a server."""
    process = Path("/proc") / str(server.process.pid)
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))


@pytest.mark.parametrize("wire", ["grpcio", "native"])
def test_calls_that_are_given_up_leave_nothing_behind(tmp_path, spawn, wire):
    server = spawn(tmp_path, "--wire", wire)
    windows = np.zeros((256, 6, 8), dtype="<f4")
    source = pb.PredictionInput(windows=pb.Windows(count=256, data=windows.tobytes()))
    requests = {PREDICT: pb.PredictRequest(input=source), EXPLAIN: pb.ExplainRequest(input=source, method=6)}
    with Client(server.address) as client:
        client.predict(windows=windows)
        before = _held(server)
        for number in range(0, CANCELLED, 40):  # a connection each: nobody gives up more on one
            path, request = list(requests.items())[number // 40 % 2]
            with grpc.insecure_channel(server.address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
                method = channel.unary_unary(path)
                calls = [method.future(request.SerializeToString()) for _ in range(40)]
                time.sleep(0.005)
                for call in calls:
                    call.cancel()
        begun = time.monotonic()
        assert len(client.predict(windows=windows)) == 256
        assert time.monotonic() - begun < 5, "what was given up is computed all the same"
        deadline = time.monotonic() + 20
        while (after := _held(server)) != before:
            few = (
                after[0] <= before[0] + 2 and after[1] <= before[1] + 2
            )  # pools may have grown to their size
            if few:
                break
            assert time.monotonic() < deadline, f"descriptors and threads {before}, now {after}"
            time.sleep(0.1)
    assert server.stop() == 0, "".join(server.log)


async def test_readers_who_all_come_back_at_once_are_served_soon(tmp_path, spawn):
    server = spawn(tmp_path)
    bars = daily("AAPL", 100)
    with Client(server.address) as client:
        client.publish_bars(bars[:90])
    clients = [AsyncClient(server.address) for _ in range(READERS)]
    opened, newest = [0] * READERS, [0] * READERS

    async def follow(number):
        async for message in clients[number].signals(start="live").messages():
            opened[number] += isinstance(message, Opened)
            if isinstance(message, EventBatch):
                newest[number] = message.events[-1].sequence

    tasks = [asyncio.create_task(follow(number)) for number in range(READERS)]

    async def until(condition, seconds):
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < seconds
            await asyncio.sleep(0.05)
        return time.monotonic() - begun

    await until(lambda: all(opened), 60)
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    took = await until(lambda: min(opened) >= 2, 60)
    assert took <= 10, f"{READERS} readers were back after {took:.1f} s"
    async with AsyncClient(server.address) as client:
        await client.publish_bars(bars[90:])
    await until(lambda: min(newest) == max(newest) > 0, 20)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for client in clients:
        await client.close()
    assert server.stop() == 0, "".join(server.log)
