"""Bars that TWS keeps up to date."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from glasstape.sources.errors import SourceError
from glasstape.sources.ib_session import HistoryRequest, IbSession
from glasstape.sources.live_bars import LiveBars
from glasstape.sources.polling import Clock
from glasstape.sources.rows import Row
from glasstape.types.market import Bar

if TYPE_CHECKING:
    from ib_async import BarData, BarDataList

STREAM_DAYS = 5
"""Days of history that a stream begins with: TWS streams nothing to a symbol without any bar."""


async def stream_bars(
    session: IbSession, requests: Mapping[str, HistoryRequest], bars: LiveBars, clock: Clock
) -> AsyncIterator[Bar]:
    """Yield provisional bars as TWS updates them, and final ones when they are due, until the connection is lost.

    Args:
        session: connection to TWS.
        requests: by symbol, without an end.
        bars: merges the bars of TWS.
        clock: of the market.

    Raises:
        UnknownSymbolError: TWS has no bars of a symbol.
        SourceUnavailableError: the connection is lost.
    """
    queue: asyncio.Queue[tuple[str, BarData] | SourceError] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(session.losses(queue.put_nowait))
        for symbol, request in requests.items():
            kept = await session.bars(symbol, request)
            if kept:
                stack.callback(session.cancel, kept)
                report = _reporter(symbol, queue.put_nowait)
                kept.updateEvent += report
                report(kept, False)  # an update may have arrived together with the history
        bars.begin(clock.now())
        while True:
            due = bars.next_due()
            wait = None if due is None else max((due - clock.now()).total_seconds(), 0.0)
            item = await _next(queue, wait)
            if isinstance(item, SourceError):
                raise item
            if item is not None and (bar := bars.update(item[0], row_of(item[1]))) is not None:
                yield bar
            for bar in bars.due(clock.now()):
                yield bar


def row_of(bar: "BarData") -> Row:
    """Return a bar of TWS as a row stamped by its open or date; midpoints have a volume of -1, which becomes 0."""
    return Row(bar.date, bar.open, bar.high, bar.low, bar.close, max(float(bar.volume), 0.0))


def _reporter(
    symbol: str, report: Callable[[tuple[str, "BarData"]], None]
) -> Callable[["BarDataList", bool], None]:
    """Return a handler that reports the bars an update changed: the new one, and the one that it ended."""

    def updated(bars: "BarDataList", has_new_bar: bool) -> None:
        for bar in bars[-2:] if has_new_bar else bars[-1:]:
            report((symbol, bar))

    return updated


async def _next(
    queue: "asyncio.Queue[tuple[str, BarData] | SourceError]", wait: float | None
) -> "tuple[str, BarData] | SourceError | None":
    """Return the next item; None: there is none in time."""
    try:
        async with asyncio.timeout(wait):
            return await queue.get()
    except TimeoutError:
        return None
