"""A day of a simulated exchange with faults, and a follower through it."""

import argparse
import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from candles import MINUTE, Market
from glasstape import AsyncClient
from glasstape.sources.ccxt import CcxtSource
from glasstape.sources.follower import Follower, FollowOptions
from local_exchange import LocalExchange
from simulated_time import SimulatedTime

SYMBOLS = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
HISTORY = 90
"""Minutes before the follower starts."""


@dataclass(frozen=True)
class Fault:
    """Sets an attribute of `Faults` for some minutes, or calls a method of the day."""

    name: str
    minutes: float
    value: object = True

    def begin(self, day):
        if hasattr(day.exchange.faults, self.name):
            setattr(day.exchange.faults, self.name, self.value)
        else:
            getattr(day, self.name)()

    def end(self, day):
        if hasattr(day.exchange.faults, self.name):
            setattr(day.exchange.faults, self.name, type(self.value)())


FAULTS = (
    Fault("disconnect", 2),
    Fault("silent", 6),
    Fault("maintenance", 8, "503"),
    Fault("kill_follower", 5),
    Fault("retry_after", 3, 20),
    Fault("hide_newest", 3),
    Fault("restart_server", 2),
    Fault("late", 10),
    Fault("bad_json", 4),
    Fault("duplicate", 10),
    Fault("skew", 5, 40.0),
    Fault("maintenance", 20, "html"),
    Fault("refuse_stream", 10),
    Fault("restart_exchange", 2),
    Fault("delisted", 30, {"CCCUSDT"}),
    Fault("disconnect", 1),
    Fault("silent", 15),
    Fault("restart_server", 2),
    Fault("retry_after", 6, 60),
    Fault("kill_follower", 20),
)
"""Seven for every test run, all of them for the long one."""


def minute_model(folder):
    """Make a model of minute bars from the bundled one, and return the folder of models."""
    from glasstape_server.settings import BUNDLED_MODELS

    target = folder / "minute" / "1"
    shutil.copytree(BUNDLED_MODELS / "sample-conv1d" / "1", target)
    manifest = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps(manifest | {"name": "minute", "interval": "1m"}))
    return folder


class Day:
    """The exchange, the follower and the server of a day."""

    def __init__(self, server, folder, minutes, speed):
        self.time = SimulatedTime(FIRST + HISTORY * MINUTE, speed)
        self.market = Market(SYMBOLS, FIRST, HISTORY + minutes)
        self.exchange = LocalExchange(self.market, self.time)
        self.end = FIRST + (HISTORY + minutes) * MINUTE
        self._server, self._config = server, folder / "ccxt.json"
        self._task = None
        self._jobs = []
        self.runs = []
        """Statistics of every follower that ran."""

    def disconnect(self):
        self.exchange.disconnect()

    def restart_server(self):
        with self.time.stopped():
            self._server.kill()
            self._server.start()

    def restart_exchange(self):
        self._later(self._restart_exchange())

    async def _restart_exchange(self):
        await self.exchange.stop()
        await self.time.sleep(60)
        await self.exchange.start()

    def hide_newest(self):
        """Leave the candle that closes next out of REST answers for five seconds."""
        self._later(self._hide_newest())

    async def _hide_newest(self):
        opened = self.exchange.now().replace(second=0, microsecond=0)
        self.exchange.faults.hidden = {(symbol, opened) for symbol in SYMBOLS[:2]}
        await self.time.until(opened + MINUTE + timedelta(seconds=5))
        self.exchange.faults.hidden = set()

    def kill_follower(self):
        self._task.cancel()
        self._later(self._start_again())

    async def _start_again(self):
        await self.time.sleep(120)
        self.follow()

    def follow(self):
        self._task = asyncio.create_task(self._follow())

    async def _follow(self):
        self._config.write_text(json.dumps(self.exchange.ccxt_config))
        source = CcxtSource.from_options(
            argparse.Namespace(
                exchange="binance", market_type=None, ccxt_config=self._config, credentials=None
            )
        )
        options = FollowOptions(
            symbols=SYMBOLS, interval="1m", since=FIRST, signal_age=timedelta(days=2), provisional=True,
            provisional_interval=timedelta(seconds=10),
        )  # fmt: skip
        async with AsyncClient(self._server.address) as client:
            follower = Follower(source, client, options, self.time)
            self.runs.append(follower.stats)
            try:
                await follower.run()
            finally:
                await source.close()

    def _later(self, coroutine):
        self._jobs.append(asyncio.create_task(coroutine))

    @asynccontextmanager
    async def running(self):
        async with self.exchange:
            self.follow()
            try:
                yield
            finally:
                self._task.cancel()
                await asyncio.gather(self._task, *self._jobs, return_exceptions=True)

    async def run(self, faults):
        """Live through the day with the faults at even distances."""
        async with self.running():
            begin = self.time.now()
            step = (self.end - begin) / (len(faults) + 1)
            for number, fault in enumerate(faults, 1):
                await self._at(begin + number * step)
                fault.begin(self)
                await self._at(begin + number * step + fault.minutes * MINUTE)
                fault.end(self)
            await self._at(self.end)
            async with asyncio.timeout(60):
                while not self._is_complete():
                    await self._at(self.time.now() + timedelta(seconds=30))

    def _is_complete(self):
        stats = self.runs[-1]
        return all(
            stats.last_close.get(symbol) == self.end for symbol in SYMBOLS if symbol not in stats.dropped
        )

    async def _at(self, moment):
        """Wait for a time, or raise what ended the follower."""
        while self.time.now() < moment:
            await asyncio.sleep(0.002)
            if self._task.done() and not self._task.cancelled():
                self._task.result()
                raise AssertionError("the follower ended")
