"""A stream that other event loops go on to read: one error, nothing raw and nothing in the log."""

import asyncio
import gc
import time

import pytest
from glasstape import AsyncClient, PreconditionError
from glasstape._aio_stream import AsyncSignalStream
from glasstape.testing import FakeServer, make_buy

BUSY = {"start": "earliest", "heartbeat_interval": 0.1}


@pytest.fixture
def fake():
    with FakeServer() as server:
        server.emit(make_buy("A"))
        yield server


async def begun(client, read):
    """An iterator of which one item was taken."""
    iterator = read(client.signals(**BUSY))
    await anext(iterator)
    return iterator


READERS = {"messages": AsyncSignalStream.messages, "events": aiter}


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
@pytest.mark.parametrize(
    ("read", "connected"),
    [(READERS["messages"], True), (READERS["events"], True), (READERS["messages"], False)],
    ids=["messages", "events", "disconnected"],
)
def test_reading_on_says_that_another_loop_reads(fake, caplog, closed, read, connected):
    client = AsyncClient(fake.address if connected else "127.0.0.1:1")
    loop = asyncio.new_event_loop()
    iterator = loop.run_until_complete(begun(client, read))
    if closed:
        loop.close()

    async def read_on():
        with pytest.raises(
            PreconditionError, match=r"signals\(resume_token=stream\.resume_token\)"
        ) as caught:
            await asyncio.wait_for(anext(iterator), 5)
        assert caught.value.reason == "OTHER_EVENT_LOOP"
        async with AsyncClient(fake.address) as other:
            for _ in range(3):  # what ends late arrives meanwhile
                assert (await other.model()).ref.name == "fake"
                await asyncio.sleep(0.02)

    asyncio.run(read_on())
    if not closed:
        loop.run_until_complete(client.close())
        loop.close()
    assert caplog.messages == []


def test_streams_left_open_by_earlier_loops_leave_the_log_of_later_ones_empty(fake, caplog):
    async def first_event():
        async for event in AsyncClient(fake.address).signals(**BUSY):
            return event.symbol

    assert [asyncio.run(first_event()) for _ in range(5)] == ["A"] * 5
    gc.collect()

    async def later():
        async with AsyncClient(fake.address) as client:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                await client.model()

    asyncio.run(later())
    assert caplog.messages == []


def test_a_stream_continues_on_another_loop_by_its_token(fake):
    client = AsyncClient(fake.address)

    async def taken(stream):
        async for event in stream:
            if event.symbol == "A":
                fake.emit(make_buy("B"))
            else:
                return event.symbol, stream.resume_token
        return None

    async def resume(token):
        stream = client.signals(resume_token=token, heartbeat_interval=0.1)
        fake.emit(make_buy("C"))
        return [(await anext(aiter(stream))).symbol]

    symbol, token = asyncio.run(taken(client.signals(**BUSY)))
    assert symbol == "B"
    assert asyncio.run(resume(token)) == ["B"]  # the batch of B was not handled completely
