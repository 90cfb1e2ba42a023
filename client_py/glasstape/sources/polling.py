"""Polling of markets that publish no stream, and pacing of requests."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta

from glasstape.types.market import Bar

RETRIES = (timedelta(), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=20), timedelta(hours=1))
"""After a close is due, when symbols are requested that have no bar of it yet."""


class Clock:
    """Time of a market: this machine's, corrected by what the market reports."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def machine_time(self) -> datetime:
        """Return the time of this machine, in UTC."""
        return datetime.now(UTC)

    def observe(self, market_time: datetime, resolution: timedelta = timedelta(0)) -> None:
        """Correct the clock: a market reported this time just now; differences up to `resolution` are ignored."""
        ahead = market_time - self.machine_time()
        if abs(ahead - self._ahead) > resolution:
            self._ahead = ahead

    def now(self) -> datetime:
        """Return the market's time, in UTC."""
        return self.machine_time() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Return after a time, in seconds."""
        await asyncio.sleep(seconds)


class Pace:
    """Spaces requests evenly, so that a limit of requests per second is kept."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._pause = timedelta(seconds=1 / per_second)
        self._clock = clock
        self._next = datetime.min.replace(tzinfo=UTC)

    async def turn(self) -> None:
        """Return when the next request may be sent."""
        now = self._clock.machine_time()
        at = max(self._next, now)
        self._next = at + self._pause
        if at > now:
            await self._clock.sleep((at - now).total_seconds())


async def poll(
    history: Callable[[str, datetime, datetime], AsyncIterator[Sequence[Bar]]],
    symbols: Sequence[str],
    next_close: Callable[[datetime], datetime],
    settle: timedelta,
    clock: Clock,
) -> AsyncIterator[Bar]:
    """Yield final bars of symbols soon after each close, without end.

    A symbol without a bar of the close is requested again at `RETRIES`, until the next close is due.

    Args:
        history: yields final bars of a symbol after a time, up to and including another.
        symbols: to poll.
        next_close: returns the first close after a time.
        settle: time after a close until its bar is final.
        clock: of the source.
    """
    newest = dict.fromkeys(symbols, clock.now())
    close = next_close(clock.now())
    while True:
        following = next_close(close)
        for retry in RETRIES:
            due = close + settle + retry
            missing = [symbol for symbol in symbols if newest[symbol] < close]
            if not missing or (retry and due >= following + settle):
                break
            wait = (due - clock.now()).total_seconds()
            if wait > 0:
                await clock.sleep(wait)
            for symbol in missing:
                async for page in history(symbol, newest[symbol], clock.now()):
                    for bar in page:
                        newest[symbol] = max(newest[symbol], bar.close_time)
                        yield bar
        newest = {symbol: max(time, close) for symbol, time in newest.items()}
        close = following


async def catch_up(
    history: Callable[[str, datetime, datetime], AsyncIterator[Sequence[Bar]]],
    symbols: Sequence[str],
    next_close: Callable[[datetime], datetime],
    settle: timedelta,
    clock: Clock,
) -> AsyncIterator[Bar]:
    """Yield the final bars that a stream begun now cannot: those that settle now, and those that are forming now.

    They are requested once they are final: after the next close, and once more after the following one, since the
    stream may connect between them. Then this waits without end, for `merge`.

    Args:
        history: yields final bars of a symbol after a time, up to and including another.
        symbols: of the stream.
        next_close: returns the first close after a time.
        settle: time after a close until its bar is final.
        clock: of the source.
    """
    begun = clock.now()
    close = next_close(begun)
    first = begun - settle - (next_close(close) - close)
    for _ in range(2):
        await clock.sleep(max((close + settle - clock.now()).total_seconds(), 0.0))
        for symbol in symbols:
            async for page in history(symbol, first, clock.now()):
                for bar in page:
                    yield bar
        close = next_close(close)
    await asyncio.Event().wait()


async def merge(streams: Sequence[AsyncIterator[Bar]]) -> AsyncIterator[Bar]:
    """Yield the bars of several streams as they come, until one of them ends or raises; then all end."""
    waiting: dict[asyncio.Future[Bar], AsyncIterator[Bar]] = {}
    try:
        for stream in streams:
            waiting[asyncio.ensure_future(anext(stream))] = stream
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                stream = waiting.pop(future)
                try:
                    bar = future.result()
                except StopAsyncIteration:
                    return
                yield bar
                waiting[asyncio.ensure_future(anext(stream))] = stream
    finally:
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for stream in streams:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
