"""A server while it comes to life."""

import asyncio

import pytest
from glasstape import AsyncClient, Disconnected, Opened
from glasstape_server import app as module
from glasstape_server.app import App
from glasstape_server.settings import Settings
from glasstape_server.startup import StartError


class Pause:
    """Holds a start before its models are rolled out."""

    def __init__(self, monkeypatch):
        self.reached, self.over, self._roll_out = asyncio.Event(), asyncio.Event(), module.roll_out
        monkeypatch.setattr(module, "roll_out", self)

    async def __call__(self, *arguments):
        self.reached.set()
        await self.over.wait()
        await self._roll_out(*arguments)


@pytest.mark.parametrize("wire", ["grpcio", "auto"])
async def test_a_stream_waits_for_the_model_that_it_begins_with(tmp_path, monkeypatch, wire):
    pause = Pause(monkeypatch)
    app = App(Settings(data_dir=tmp_path, port=0, wire=wire))
    starting = asyncio.create_task(app.start())
    await pause.reached.wait()
    async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
        assert not await client.ready()
        stream = client.signals()
        first = asyncio.ensure_future(anext(aiter(stream.messages())))
        done, _ = await asyncio.wait([first], timeout=0.5)
        assert not done
        pause.over.set()
        await starting
        opened = await first
        assert isinstance(opened, Opened)
        assert opened.model.name == "sample-conv1d"
        stream.close()
    await app.stop()


@pytest.mark.parametrize("wire", ["grpcio", "auto"])
async def test_a_stream_that_waits_for_a_model_is_told_when_none_comes(tmp_path, monkeypatch, wire):
    pause = Pause(monkeypatch)
    app = App(Settings(data_dir=tmp_path, models_dir=tmp_path / "none", port=0, wire=wire))
    starting = asyncio.create_task(app.start())
    await pause.reached.wait()
    async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
        stream = client.signals()
        first = asyncio.ensure_future(anext(aiter(stream.messages())))
        await asyncio.wait([first], timeout=0.5)
        pause.over.set()
        with pytest.raises(StartError, match="no usable model"):
            await starting
        await app.stop()
        told = await first
        assert isinstance(told, Disconnected)
        assert told.error.reason == "DRAINING"
        stream.close()


async def test_a_stream_does_not_wait_for_bars_that_are_still_to_be_signalled(tmp_path, monkeypatch):
    app = App(Settings(data_dir=tmp_path, port=0))
    reached, caught_up, start = asyncio.Event(), asyncio.Event(), app.pipeline.start

    async def slowly():
        reached.set()
        await caught_up.wait()
        await start()

    monkeypatch.setattr(app.pipeline, "start", slowly)
    starting = asyncio.create_task(app.start())
    await reached.wait()
    async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
        stream = client.signals()
        assert (await anext(aiter(stream.messages()))).model.name == "sample-conv1d"
        stream.close()
    caught_up.set()
    await starting
    await app.stop()
