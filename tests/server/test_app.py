"""A server while it comes to life."""

import asyncio

import pytest
from glasstape import AsyncClient, Opened
from glasstape_server import app as module
from glasstape_server.app import App
from glasstape_server.settings import Settings


@pytest.mark.parametrize("wire", ["grpcio", "auto"])
async def test_a_stream_waits_for_the_model_that_it_begins_with(tmp_path, monkeypatch, wire):
    go_on, rolled_out, roll_out = asyncio.Event(), asyncio.Event(), module.roll_out

    async def slowly(*arguments):
        rolled_out.set()
        await go_on.wait()
        await roll_out(*arguments)

    monkeypatch.setattr(module, "roll_out", slowly)
    app = App(Settings(data_dir=tmp_path, port=0, wire=wire))
    starting = asyncio.create_task(app.start())
    await rolled_out.wait()
    async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
        assert not await client.ready()
        stream = client.signals()
        first = asyncio.ensure_future(anext(aiter(stream.messages())))
        done, _ = await asyncio.wait([first], timeout=0.5)
        assert not done
        go_on.set()
        await starting
        opened = await first
        assert isinstance(opened, Opened)
        assert opened.model.name == "sample-conv1d"
        stream.close()
    await app.stop()
