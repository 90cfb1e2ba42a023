"""A source whose market is a list of bars that a test changes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from glasstape import Bar, Instrument
from glasstape.sources import Source, UnknownSymbolError

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minute_bar(symbol: str, minute: int, close: float = 100.0, **options) -> Bar:
    return Bar(
        symbol=symbol, interval="1m", close_time=START + minute * MINUTE, open=100.0, high=200.0, low=1.0,
        close=close, volume=float(minute), **options,
    )  # fmt: skip


class ScriptedSource(Source):
    """Bars of `history`, live bars of `feed`, and the errors in `failures` instead, each once."""

    help = "a scripted market"

    def __init__(self, time, *bars: Bar) -> None:
        self._time = time
        self.bars = list(bars)
        self.feed: asyncio.Queue[Bar | Exception] = asyncio.Queue()
        self.failures: list[Exception] = []
        self.unknown: set[str] = set()
        self.requests: list[tuple[str, datetime, datetime]] = []
        self.subscriptions: list[list[str]] = []

    @classmethod
    def from_options(cls, options):
        raise NotImplementedError

    async def now(self):
        return self._time.now()

    async def instruments(self, symbols: Sequence[str]):
        for symbol in symbols:
            if symbol in self.unknown:
                raise UnknownSymbolError(symbol)
        return [Instrument(symbol=symbol, name=f"Name of {symbol}") for symbol in symbols]

    async def history(self, symbol, interval, start, end):
        self.requests.append((symbol, start, end))
        if self.failures:
            raise self.failures.pop(0)
        if symbol in self.unknown:
            raise UnknownSymbolError(symbol, "it was removed")
        bars = [bar for bar in self.bars if bar.symbol == symbol and start < bar.close_time <= end]
        for first in range(0, len(bars), 10):
            yield bars[first : first + 10]

    async def live(self, symbols, interval):
        self.subscriptions.append(list(symbols))
        while True:
            item = await self.feed.get()
            if isinstance(item, Exception):
                raise item
            yield item
