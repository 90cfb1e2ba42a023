"""The files that a bar passes on its way from PublishBars to a stream, as docs/architecture.md describes them."""

import asyncio
import re
from pathlib import Path

import pytest
from call_recorder import installed_recorder
from glasstape import AsyncClient, ConfidenceEvent, EventBatch
from glasstape_server.app import App
from glasstape_server.settings import Settings
from made_up import daily

ROOT = Path(__file__).resolve().parents[2]
HISTORY = 80


@pytest.fixture(scope="module")
def section():
    page = (ROOT / "docs/architecture.md").read_text()
    return page.split("## One bar, from publish to screen")[1].split("\n## ")[0]


async def _files_of_one_bar(recorder, folder):
    bars = daily("AAA", HISTORY + 2)
    app = App(Settings(data_dir=folder, port=0, wire="grpcio", torch_threads=1))
    await app.start()
    try:
        async with AsyncClient(f"127.0.0.1:{app.server.port}") as client:
            await client.publish_bars(bars[:HISTORY], mode="backfill")
            stream = client.signals(start="live", heartbeat_interval=60)
            messages = aiter(stream.messages())
            await _publish(client, messages, bars[HISTORY])
            await asyncio.sleep(0.5)  # until the stream has nothing to do
            with recorder.recording():
                await _publish(client, messages, bars[HISTORY + 1])
            stream.close()
    finally:
        await app.stop()
    return recorder.files


async def _publish(client, messages, bar):
    """Publish one bar and wait for its confidence."""
    await client.publish_bars([bar])
    async for message in messages:
        if isinstance(message, EventBatch):
            assert isinstance(message.events[-1], ConfidenceEvent)
            assert message.events[-1].bar_close_time == bar.close_time
            return


async def test_a_bar_passes_the_files_of_the_page_in_their_order(section, tmp_path):
    named = re.findall(r"`(server/[\w./-]+\.py)`", section)
    limit = int(re.search(r"at most (\d+) files", section)[1])
    with installed_recorder() as recorder:
        called = await _files_of_one_bar(recorder, tmp_path)
    assert len(named) >= 4
    place = 0
    for file in named:
        assert file in called[place:], f"{file} is not called after those before it: {called}"
        place = called.index(file, place)
    passed = list(dict.fromkeys(called))
    assert len(passed) <= limit, "\n".join(passed)
    between = passed[_first(passed, "/market/") : _first(passed, "/signals/delivery/")]
    wire = [file for file in between if re.search(r"/(rpc/(?!convert/)|transport/)", file)]
    assert not wire, "between market and delivery a bar stays below rpc and transport"


def _first(passed, package):
    return next(number for number, file in enumerate(passed) if package in file)
