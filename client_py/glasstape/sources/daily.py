"""Sources of daily bars whose library downloads a table of dates."""

import argparse
import asyncio
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self

from glasstape.sources.errors import SourceError, SourceUnavailableError
from glasstape.sources.polling import Clock, Pace, merge, poll
from glasstape.sources.rows import BarBuilder, Row, bars_of
from glasstape.sources.sessions import Sessions, check_exchange, load_sessions
from glasstape.sources.source import Source
from glasstape.types.market import Bar

log = logging.getLogger(__name__)

REQUESTS_PER_S = 1.0
DOWNLOAD_TIMEOUT_S = 120.0
SETTLE = timedelta(hours=4)
"""Time after a session's close until its bar is final: providers correct closes and volumes in the hours after it."""
CONTEXT = timedelta(days=14)
"""Requested before the first date: an answer without any row then means that the symbol is unknown or delisted."""


@dataclass(frozen=True, slots=True)
class Table:
    """Answer to a download."""

    rows: Sequence[Row]
    """By date, oldest first; those with missing prices left out."""
    details: Mapping[str, Any]
    """What the provider states about the symbol."""


class DailySource(Source):
    """Daily and weekly bars, weeks merged from days. Bars close with the session of their date."""

    name: ClassVar[str]
    sparse: ClassVar[bool] = True

    def __init__(
        self, *, adjusted: bool = False, exchange: str | None = None, clock: Clock | None = None
    ) -> None:
        """Describe a provider; nothing is sent yet.

        Args:
            adjusted: adjust prices for dividends too, where the provider does.
            exchange: ISO 10383 code of all symbols, whose sessions their dates are of; None: by symbol.
            clock: of this machine.

        Raises:
            SourceError: the exchange is unknown.
        """
        check_exchange(exchange)
        self._adjusted = adjusted
        self._exchange = exchange
        self._clock = clock or Clock()
        self._pace = Pace(REQUESTS_PER_S, self._clock)
        self._serial = asyncio.Lock()

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add `--adjusted` and `--exchange`."""
        parser.add_argument(
            "--adjusted", action="store_true", help="adjust prices for dividends, where the provider can"
        )
        parser.add_argument(
            "--exchange", metavar="CODE", help="ISO 10383 code of the symbols' exchange (default: by symbol)"
        )

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """Return a source made from parsed options.

        Raises:
            SourceError: the exchange is unknown, or the package is not installed.
        """
        return cls(adjusted=options.adjusted, exchange=options.exchange)

    async def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """Yield one page of final bars with `start < close_time <= end`, oldest first.

        Raises:
            UnknownSymbolError: the provider has no such symbol.
            SourceError: the interval is not 1d or 1w, or the symbol's exchange is unknown.
            SourceUnavailableError: retrying may help.
        """
        self._check(interval)
        # Dates of the answer are of a zone that is not known yet, hence a day more on either side.
        table = await self._table(symbol, start.date() - CONTEXT, end.date() + timedelta(days=1))
        sessions = await load_sessions(self._exchange or self.exchange_of(symbol, table))
        first = sessions.first_day(start, interval)
        # Yahoo may answer today twice; the second row is the newer one.
        rows = list({row.stamp: row for row in table.rows if row.stamp >= first}.values())
        builder = BarBuilder(symbol, interval, lambda day: self._close(sessions, symbol, day, interval))
        last = min(end, self._clock.now() - SETTLE)
        async for bars in bars_of(_one_page(rows), builder, start, last):
            yield bars

    async def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """Yield final bars, polled 4 hours after each close.

        Raises:
            UnknownSymbolError: the provider has no such symbol.
            SourceError: the interval is not 1d or 1w, or a symbol's exchange is unknown.
            SourceUnavailableError: retrying may help.
        """
        self._check(interval)
        groups: dict[str, list[str]] = {}
        today = self._clock.now().date()
        for symbol in symbols:
            table = await self._table(symbol, today - CONTEXT, today)
            groups.setdefault(self._exchange or self.exchange_of(symbol, table), []).append(symbol)
        polls = [
            self._poll(group, interval, await load_sessions(exchange)) for exchange, group in groups.items()
        ]
        async for bar in merge(polls):
            yield bar

    def _poll(self, symbols: Sequence[str], interval: str, sessions: Sessions) -> AsyncIterator[Bar]:
        return poll(
            lambda symbol, start, end: self.history(symbol, interval, start, end),
            symbols,
            lambda moment: sessions.next_close(moment, interval),
            SETTLE,
            self._clock,
        )

    def _check(self, interval: str) -> None:
        """Check that there are bars of an interval.

        Raises:
            SourceError: there are none.
        """
        if interval not in ("1d", "1w"):
            raise SourceError(f"{self.name}: has bars of 1d and 1w, not of {interval}")

    async def _table(self, symbol: str, first: date, last: date) -> Table:
        """Return the rows of dates, downloaded by a worker thread.

        Raises:
            UnknownSymbolError: the provider has no such symbol.
            SourceUnavailableError: retrying may help.
        """
        async with self._serial:
            await self._pace.turn()
            try:
                async with asyncio.timeout(DOWNLOAD_TIMEOUT_S):
                    return await asyncio.to_thread(self.download, symbol, first, last)
            except TimeoutError:
                raise SourceUnavailableError(
                    f"{self.name}: no answer for {symbol} within {DOWNLOAD_TIMEOUT_S:g} s"
                ) from None

    def _close(self, sessions: Sessions, symbol: str, day: date, interval: str) -> datetime | None:
        """Return the close of the bar that a date belongs to; None: its exchange was closed."""
        close_time = sessions.day_close(day)
        if close_time is None:
            log.warning(
                "%s: %s has a row of %s, when its exchange was closed; left out", self.name, symbol, day
            )
            return None
        return close_time if interval == "1d" else sessions.week_close(day)

    @abstractmethod
    def download(self, symbol: str, first: date, last: date) -> Table:
        """Return the rows of dates, both included. Runs on a worker thread, one call at a time.

        Raises:
            UnknownSymbolError: the provider has no such symbol.
            SourceUnavailableError: retrying may help.
        """

    @abstractmethod
    def exchange_of(self, symbol: str, table: Table) -> str:
        """Return the exchange that a symbol's dates are of, an ISO 10383 code, `24/7` or `FX`.

        Raises:
            SourceError: it is unknown.
        """


async def _one_page(rows: Sequence[Row]) -> AsyncIterator[Sequence[Row]]:
    yield rows
