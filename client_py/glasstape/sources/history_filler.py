"""Back-fill: requests the history of symbols that are behind, and hands it on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from glasstape.sources.bar_publisher import BarPublisher, history_cut
from glasstape.sources.close_book import CloseBook
from glasstape.sources.close_series import final_bars
from glasstape.sources.errors import UnknownSymbolError
from glasstape.sources.history_parts import OnProgress
from glasstape.sources.source import Source
from glasstape.sources.timing import MarketClock
from glasstape.types.market import INTERVALS, Bar

OVERLAP = 5
"""Bars before a symbol's position that are requested again, to find late and corrected ones."""
CONCURRENT = 4
"""Symbols that are requested at the same time."""
BACKFILL_BARS = 10_000
"""Bars of history in one call."""


class HistoryFiller:
    """Brings symbols up to the market's time.

    Bars older than `signal_age` are published at once, as history. Younger ones go to the book, those of all symbols
    together, so that the bars of a close stay together.
    """

    def __init__(
        self,
        source: Source,
        interval: str,
        book: CloseBook,
        publisher: BarPublisher,
        clock: MarketClock,
        signal_age: timedelta | None,
        on_progress: OnProgress,
    ) -> None:
        self._source, self._interval = source, interval
        self._book, self._publisher, self._clock = book, publisher, clock
        self._signal_age, self._on_progress = signal_age, on_progress
        self._length = INTERVALS[interval]
        self._slots = asyncio.Semaphore(CONCURRENT)

    async def fill(self, symbols: Sequence[str]) -> list[UnknownSymbolError]:
        """Request symbols from their positions to the market's time; return which of them the market removed.

        Raises:
            SourceUnavailableError: retrying may help; symbols that were answered are done.
            SourceError: retrying does not help.
            ServerLostError: history could not be published.
        """
        through = await self._clock.sync()
        positions = {symbol: self._book.position(symbol) for symbol in symbols}
        results = await asyncio.gather(
            *(self._bars(symbol, positions[symbol][0], through) for symbol in symbols),
            return_exceptions=True,
        )
        removed, failed = [], None
        for symbol, result in zip(symbols, results, strict=True):
            if isinstance(result, list):
                self._book.fill(symbol, result, through, positions[symbol][1])
            elif isinstance(result, UnknownSymbolError):
                removed.append(result)
            else:
                failed = failed or result
        if failed is not None and not removed:
            raise failed
        return removed

    async def probe(self, symbol: str) -> bool:
        """Return whether the market has a bar that the book does not know.

        Raises:
            SourceUnavailableError: retrying may help.
            SourceError: retrying does not help.
        """
        through = await self._clock.sync()
        head, _ = self._book.position(symbol)
        bars = [bar async for page in self._pages(symbol, head, through) for bar in page]
        return bool(bars)

    async def _bars(self, symbol: str, position: datetime, through: datetime) -> list[Bar]:
        """Return the bars of a symbol that may still be signaled; older ones are published."""
        cut = history_cut(through, self._length, self._signal_age)
        recent: list[Bar] = []
        old: list[Bar] = []
        async with self._slots:
            async for page in self._pages(symbol, position - OVERLAP * self._length, through):
                recent += [bar for bar in page if bar.close_time > cut or bar.close_time <= position]
                old += [bar for bar in page if position < bar.close_time <= cut]
                if len(old) >= BACKFILL_BARS:
                    await self._store(symbol, old, cut)
                    old = []
            if old:
                await self._store(symbol, old, cut)
                self._on_progress(symbol, 0, cut, cut)
        return recent

    async def _pages(self, symbol: str, start: datetime, end: datetime) -> AsyncIterator[list[Bar]]:
        async for page in self._source.history(symbol, self._interval, start, end):
            yield final_bars(page, start, end)

    async def _store(self, symbol: str, bars: list[Bar], end: datetime) -> None:
        await self._publisher.publish(bars, history=True)
        self._book.advance(symbol, bars)
        self._on_progress(symbol, len(bars), bars[-1].close_time, end)
