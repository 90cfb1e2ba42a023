"""Markets of Interactive Brokers, through TWS or IB Gateway (package ib_async)."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar, Self
from zoneinfo import ZoneInfo

from glasstape.sources.errors import SourceError
from glasstape.sources.ib_contracts import CRYPTO, CURRENCY, exchange_of, instrument_of, kind_of
from glasstape.sources.ib_session import HistoryRequest, IbAddress, IbSession
from glasstape.sources.ib_stream import STREAM_DAYS, row_of, stream_bars
from glasstape.sources.live_bars import LiveBars
from glasstape.sources.polling import Clock, merge, poll
from glasstape.sources.rows import BarBuilder, Row, bars_of
from glasstape.sources.sessions import (
    ContinuousSessions,
    Sessions,
    check_exchange,
    load_sessions,
)
from glasstape.sources.source import Source
from glasstape.types.market import INTERVALS, Bar, Instrument

if TYPE_CHECKING:
    pass

SETTLE = timedelta(seconds=8)
"""Time after a bar's close until it is final: TWS sends updates every 5 seconds."""
DAY_SETTLE = timedelta(hours=4, minutes=15)
"""The same for days, until trading after hours has ended."""
MOST_STREAMS = 50
"""Symbols that TWS keeps up to date at a time."""
_DAY = timedelta(days=1)
_BARS = {
    timedelta(minutes=1): ("1 min", 1),
    timedelta(minutes=3): ("3 mins", 5),
    timedelta(minutes=5): ("5 mins", 5),
    timedelta(minutes=10): ("10 mins", 5),
    timedelta(minutes=15): ("15 mins", 5),
    timedelta(minutes=30): ("30 mins", 20),
    _DAY: ("1 day", 300),
}
"""Name of each bar length that is requested, and the days of one request."""
_CLOCK_AGE = timedelta(minutes=10)


class IbSource(Source):
    """Stocks, futures, indices, currencies and crypto of an Interactive Brokers account.

    TWS stamps bars by their open, days by their date. 1h and longer are merged from 30-minute bars counted from the
    session's open. Prices of trades are adjusted for splits by Interactive Brokers, and never for dividends; of
    currencies they are midpoints, without volume. Volume: shares, contracts or coins; TWS reports US stocks in lots
    of 100 if its API settings say so. Stocks and indices: the regular session alone. Currencies and crypto: bars of
    less than a day, since their days have other ends than midnight.
    """

    help = "Interactive Brokers: stocks, futures, currencies, 1m to 1w (extra: ib)"
    sparse: ClassVar[bool] = True

    def __init__(
        self,
        address: IbAddress | None = None,
        *,
        exchange: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Describe a connection; nothing is sent yet.

        Args:
            address: of TWS or IB Gateway.
            exchange: ISO 10383 code of all symbols, whose sessions their bars are of; None: as TWS states.
            clock: of the market.

        Raises:
            SourceError: the exchange is unknown, or the package ib_async is not installed.
        """
        check_exchange(exchange)
        self._exchange = exchange
        self._clock = clock or Clock()
        self._clock_read: datetime | None = None
        self._reading_clock = asyncio.Lock()
        self._session = IbSession(address or IbAddress(), self._clock)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add `--host`, `--port`, `--client-id` and `--exchange`."""
        default = IbAddress()
        parser.add_argument("--host", default=default.host, help="address of TWS (default: 127.0.0.1)")
        parser.add_argument(
            "--port",
            type=int,
            default=default.port,
            help="7496 or 7497 (paper) for TWS, 4001 or 4002 (paper) for IB Gateway (default: 4001)",
        )
        parser.add_argument(
            "--client-id",
            type=int,
            default=default.client_id,
            metavar="NUMBER",
            help="number of this client, unique at TWS (default: 17)",
        )
        parser.add_argument(
            "--exchange",
            metavar="CODE",
            help="ISO 10383 code of the symbols' exchange (default: as TWS states)",
        )

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """Return a source made from parsed options.

        Raises:
            SourceError: the exchange is unknown, or the package ib_async is not installed.
        """
        return cls(
            IbAddress(options.host, options.port, options.client_id),
            exchange=options.exchange,
        )

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return names, exchanges, price steps and industries of symbols.

        Raises:
            UnknownSymbolError: TWS has no such contract, or several.
            SourceUnavailableError: retrying may help.
        """
        return [instrument_of(symbol, await self._session.details(symbol)) for symbol in symbols]

    async def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """Yield pages of final bars with `start < close_time <= end`, oldest first.

        Raises:
            UnknownSymbolError: TWS has no such contract, or several.
            SourceError: the symbol's sessions are unknown, or there are no bars of the interval.
            SourceUnavailableError: retrying may help; pages yielded so far stay valid.
        """
        sessions = await self._sessions(symbol, interval)
        builder = BarBuilder(symbol, interval, lambda stamp: _close(sessions, stamp, interval))
        last = min(end, await self.now() - _settle(interval))
        pages = self._pages(symbol, interval, sessions, start, end)
        async for bars in bars_of(pages, builder, start, last):
            yield bars

    async def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """Yield bars until the connection is lost: provisional ones every 5 seconds, and final ones.

        Daily and weekly bars, and more than 50 symbols, are polled after each close.

        Raises:
            UnknownSymbolError: TWS has no such contract, or several.
            SourceError: a symbol's sessions are unknown, or there are no bars of the interval.
            SourceUnavailableError: the connection is lost.
        """
        await self.now()
        sessions = {symbol: await self._sessions(symbol, interval) for symbol in symbols}
        if INTERVALS[interval] >= _DAY or len(symbols) > MOST_STREAMS:
            bars = merge([self._poll(symbol, interval, sessions[symbol]) for symbol in symbols])
        else:
            requests = {symbol: await self._request(symbol, interval, None) for symbol in symbols}
            forming = LiveBars(
                interval,
                lambda symbol, stamp: _close(sessions[symbol], stamp, interval),
                lambda _: SETTLE,
            )
            bars = stream_bars(self._session, requests, forming, self._clock)
        async for bar in bars:
            yield bar

    async def now(self) -> datetime:
        """Return the time of Interactive Brokers, read every 10 minutes.

        Raises:
            SourceUnavailableError: retrying may help.
        """
        async with self._reading_clock:  # TWS answers only the newest of two such requests
            machine_time = self._clock.machine_time()
            if self._clock_read is None or machine_time - self._clock_read >= _CLOCK_AGE:
                self._clock.observe(await self._session.market_time(), timedelta(seconds=1))
                self._clock_read = machine_time
        return self._clock.now()

    async def close(self) -> None:
        """Close the connection."""
        self._session.close()

    async def _sessions(self, symbol: str, interval: str) -> Sessions:
        """Return the sessions that a symbol's bars are of.

        Raises:
            SourceError: they are unknown, or there are no bars of the interval.
        """
        details = await self._session.details(symbol)
        kind = kind_of(details)
        if kind in (CURRENCY, CRYPTO):
            if INTERVALS[interval] >= _DAY:
                raise SourceError(f"ib: {symbol}: has bars of less than a day, not of {interval}")
            return ContinuousSessions(ZoneInfo("UTC"))
        exchange = self._exchange or exchange_of(details)
        if not exchange:
            raise SourceError(f"ib: {symbol}: the sessions of its exchange are unknown; state --exchange")
        return await load_sessions(exchange)

    async def _request(self, symbol: str, interval: str, end: datetime | None) -> HistoryRequest:
        name, days = _BARS[_base(interval)]
        details = await self._session.details(symbol)
        kind = kind_of(details)
        return HistoryRequest(
            end=end,
            days=STREAM_DAYS if end is None else days,
            bar_size=name,
            what={CURRENCY: "MIDPOINT", CRYPTO: "AGGTRADES"}.get(kind, "TRADES"),
            regular_hours=kind in ("STK", "IND"),
        )

    async def _pages(
        self, symbol: str, interval: str, sessions: Sessions, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Row]]:
        """Yield rows of consecutive requests, oldest first; requests overlap, rows do not."""
        step = _BARS[_base(interval)][1] * _DAY
        day, last = sessions.first_day(start, interval), sessions.day_of(end)
        newest: date | None = None
        while day <= last:
            until = datetime.combine(min(day + step, last + _DAY), time(), sessions.zone)
            bars = await self._session.bars(symbol, await self._request(symbol, interval, until))
            rows = [row for row in map(row_of, bars) if newest is None or row.stamp > newest]
            if rows:
                newest = rows[-1].stamp
            yield rows
            day += step

    def _poll(self, symbol: str, interval: str, sessions: Sessions) -> AsyncIterator[Bar]:
        return poll(
            lambda symbol, start, end: self.history(symbol, interval, start, end),
            [symbol],
            lambda moment: sessions.next_close(moment, interval),
            _settle(interval),
            self._clock,
        )


def _base(interval: str) -> timedelta:
    """Return the length of the rows that bars of an interval are merged from."""
    length = INTERVALS[interval]
    return length if length in _BARS else _DAY if length > _DAY else timedelta(minutes=30)


def _settle(interval: str) -> timedelta:
    return DAY_SETTLE if INTERVALS[interval] >= _DAY else SETTLE


def _close(sessions: Sessions, stamp: date, interval: str) -> datetime | None:
    """Return the close of the bar that a row belongs to; None: outside of sessions."""
    if isinstance(stamp, datetime):
        return sessions.bar_close(stamp, INTERVALS[interval])
    return sessions.day_close(stamp) if interval == "1d" else sessions.week_close(stamp)
