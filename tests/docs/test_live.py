"""The commands and the source of docs/live.md."""

import json
import re
import runpy
import shlex
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from candles import MINUTE, Market
from glasstape import Client
from glasstape.sources import UnknownSymbolError
from simulated_time import SimulatedTime

pytest.importorskip("ccxt")
from aiohttp import web
from local_exchange import exchange_in_thread
from scripted_source import START

PAGE = (Path(__file__).parents[2] / "docs/live.md").read_text()
MINUTES = 700


def commands():
    (block,) = re.findall(r"four commands\n\n```\n(.*?)```", PAGE, re.DOTALL)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def changed(words, *more, **options):
    """A command with other values of its options, and more of them."""
    words = list(words)
    for name, value in options.items():
        words[words.index(f"--{name}") + 1] = value
    return [*words, *more]


@pytest.fixture
def exchange(tmp_path):
    now = datetime.now(UTC)
    first = now.replace(second=0, microsecond=0) - MINUTES * MINUTE
    with exchange_in_thread(
        Market(["BTCUSDT", "ETHUSDT"], first, MINUTES + 60), SimulatedTime(now, 1)
    ) as exchange:
        (tmp_path / "ccxt.json").write_text(json.dumps(exchange.ccxt_config))
        yield exchange


def run(folder, words):
    done = subprocess.run(
        [sys.executable, "-m", "glasstape.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def serving(folder, words):
    command = [sys.executable, "-m", "glasstape.cli", *words]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().removeprefix("serving on ").strip()
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_the_four_commands_lead_to_signals(tmp_path, exchange):
    fetch, train, serve, follow = commands()
    config = ("--ccxt-config", "ccxt.json")
    run(tmp_path, changed(fetch, *config, since=exchange.market.first.isoformat()))
    run(tmp_path, changed(train, "--arch", "linear", "--epochs", "1"))
    with serving(tmp_path, changed(serve, "--port", "0")) as address:
        run(tmp_path, changed(follow, *config, "--server", address, "--for", "5s"))
        with Client(address) as client:
            signaled = {event.symbol for event in client.history(kinds=["confidence"])}
            assert signaled == {"BTC/USDT", "ETH/USDT"}
            truth = exchange.market.closed("BTCUSDT", datetime.now(UTC) - timedelta(minutes=1))
            stored = {bar.close_time: bar.close for bar in client.bars("BTC/USDT", "1m")}
            assert all(stored[candle.close_time] == candle.close for candle in truth[-400:])


def _own_source(folder):
    (code,) = re.findall(r"```python\n(import argparse.*?)```", PAGE, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 45
    (folder / "mymarket.py").write_text(code)
    return runpy.run_path(str(folder / "mymarket.py"))["MyMarket"]


def _row(minute, **more):
    time = (START + minute * MINUTE).timestamp()
    return {"symbol": "A", "time": time, "open": 1, "high": 3, "low": 1, "close": 2, "volume": 5, **more}


async def _bars(request):
    if request.query["symbol"] != "A":
        raise web.HTTPNotFound
    return web.json_response([_row(1), _row(2)])


async def _live(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json(_row(3, provisional=True))
    await socket.close()
    return socket


async def test_the_source_of_the_page_works(tmp_path):
    app = web.Application()
    app.add_routes([web.get("/bars", _bars), web.get("/live", _live)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    source = _own_source(tmp_path)(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        pages = [page async for page in source.history("A", "1m", START, START + 2 * MINUTE)]
        assert [bar.close_time for page in pages for bar in page] == [START + MINUTE, START + 2 * MINUTE]
        assert [bar.provisional async for bar in source.live(["A"], "1m")] == [True]
        with pytest.raises(UnknownSymbolError, match="Z: the source has no such symbol"):
            await anext(source.history("Z", "1m", START, START))
    finally:
        await source.close()
        await runner.cleanup()
