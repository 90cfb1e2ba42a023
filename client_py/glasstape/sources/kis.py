"""Korean stocks of Korea Investment & Securities (한국투자증권), by its Open API.

The package python-kis is not used: it makes longer bars of every n-th minute instead of merging them, and requires an
account number for quotes.
"""

import argparse
import logging
import re
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime, timedelta
from typing import ClassVar, Self

from glasstape.sources.credentials import Credentials, add_credentials_argument, read_credentials
from glasstape.sources.errors import SourceError, UnknownSymbolError
from glasstape.sources.kis_http import DEMO, LIVE, KisHttp, KisUrls
from glasstape.sources.kis_rest import KisRest
from glasstape.sources.kis_stream import MOST_SYMBOLS, stream_trades
from glasstape.sources.live_bars import LiveBars
from glasstape.sources.polling import Clock, poll
from glasstape.sources.rows import BarBuilder, Row, bars_of
from glasstape.sources.sessions import Sessions, load_sessions
from glasstape.sources.source import Source
from glasstape.types.market import INTERVALS, Bar, Instrument

log = logging.getLogger(__name__)

VARIABLES = {"key": "KIS_APP_KEY", "secret": "KIS_APP_SECRET"}
SETTLE = timedelta(seconds=5)
"""Time after a bar's close until it is final."""
CLOSE_SETTLE = timedelta(minutes=1)
"""The same after a session's close: the closing auction may end 30 seconds later, at random."""
DAY_SETTLE = timedelta(hours=2, minutes=45)
"""The same for days: trading after hours, until 18:00, adds to their volume."""
MINUTES_KEPT = timedelta(days=365)
"""Age of the oldest minutes that KIS keeps."""
PRICE_LIMIT = 0.3
"""Largest move from the previous close on the Korea Exchange."""
_SYMBOL = re.compile(r"[0-9A-Z]{6,7}")
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


class KisSource(Source):
    """Stocks, ETFs and ETNs of the Korea Exchange, of an app key for the KIS Open API.

    Bars of less than a day are merged from minutes, which KIS stamps by their start, counted from the session's open.
    The closing auction (15:20 to 15:30) trades at the moment of the close; its minute, stamped 15:30, belongs to the
    bar that closes then. Minutes without trades have no bar. Daily bars close with the session and are final when
    trading after hours has ended. Prices are unadjusted unless `adjusted`, which affects days and weeks alone: the
    stream is unadjusted. Volume: shares traded on the Korea Exchange, without Nextrade.
    """

    help = "Korea Investment & Securities: Korean stocks, 1m to 1w (extra: kis)"
    sparse: ClassVar[bool] = True

    def __init__(
        self,
        credentials: Credentials,
        *,
        urls: KisUrls = LIVE,
        adjusted: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Describe an app key; nothing is sent yet.

        Args:
            credentials: `key` and `secret`.
            urls: environment, `LIVE` or `DEMO`.
            adjusted: adjust days and weeks for splits and rights.
            clock: of the market.

        Raises:
            SourceError: the package aiohttp or cryptography is not installed.
        """
        try:
            import aiohttp  # noqa: F401  # checked here, before hours of history are fetched
            import cryptography  # noqa: F401
        except ImportError as error:
            raise SourceError(f"kis: {error}; run: pip install 'glasstape[kis]'") from None
        self._urls = urls
        self._adjusted = adjusted
        self._clock = clock or Clock()
        self._http = KisHttp(credentials, urls, self._clock)
        self._rest = KisRest(self._http)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add `--demo`, `--adjusted` and `--credentials`."""
        parser.add_argument(
            "--demo", action="store_true", help="use the environment of demo accounts (모의투자)"
        )
        parser.add_argument(
            "--adjusted", action="store_true", help="adjust days and weeks for splits and rights"
        )
        add_credentials_argument(parser)

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """Return a source made from parsed options.

        Raises:
            CredentialsError: credentials are missing from environment, key ring and file.
            SourceError: the package aiohttp or cryptography is not installed.
        """
        credentials = read_credentials("kis", VARIABLES, options.credentials)
        return cls(credentials, urls=DEMO if options.demo else LIVE, adjusted=options.adjusted)

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return Korean names, markets and industries of symbols.

        Raises:
            UnknownSymbolError: KIS has no such symbol.
            SourceUnavailableError: retrying may help.
        """
        return [await self._instrument(symbol) for symbol in symbols]

    async def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """Yield pages of final bars with `start < close_time <= end`, oldest first; minutes of the last year.

        Raises:
            UnknownSymbolError: KIS has no such symbol.
            SourceUnavailableError: retrying may help; pages yielded so far stay valid.
        """
        _check(symbol)
        sessions = await load_sessions("XKRX")
        daily = INTERVALS[interval] >= _DAY
        pages = (self._days if daily else self._minutes)(symbol, interval, sessions, start, end)
        builder = BarBuilder(symbol, interval, lambda stamp: _close(sessions, stamp, interval))
        async for bars in bars_of(pages, builder, start, end):
            now = self._clock.now()
            yield [bar for bar in bars if bar.close_time + _settle(sessions, interval, bar.close_time) <= now]

    async def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """Yield bars until the connection is lost: provisional ones with every trade, and final ones.

        The last bar of a session has no provisional ones. Daily and weekly bars, and more than 40 symbols, are
        polled after each close.

        Raises:
            UnknownSymbolError: a symbol has another form than 005930.
            CredentialsError: the app key is refused.
            SourceUnavailableError: the connection is lost.
        """
        for symbol in symbols:
            _check(symbol)
        sessions = await load_sessions("XKRX")
        if INTERVALS[interval] >= _DAY or len(symbols) > MOST_SYMBOLS:
            bars = poll(
                lambda symbol, start, end: self.history(symbol, interval, start, end),
                symbols,
                lambda moment: sessions.next_close(moment, interval),
                DAY_SETTLE if INTERVALS[interval] >= _DAY else CLOSE_SETTLE,
                self._clock,
            )
        else:
            forming = LiveBars(
                interval,
                lambda _, stamp: _close(sessions, stamp, interval),
                lambda close_time: _settle(sessions, interval, close_time),
            )
            key = await self._http.approval_key()
            bars = stream_trades(self._urls.stream, key, symbols, forming, self._clock)
        async for bar in bars:
            yield bar

    async def now(self) -> datetime:
        """Return this machine's time, corrected by the newest answer's header Date."""
        return self._clock.now()

    async def close(self) -> None:
        """Close connections."""
        await self._http.close()

    async def _instrument(self, symbol: str) -> Instrument:
        _check(symbol)
        price = await self._rest.price(symbol)
        sessions = await load_sessions("XKRX")
        market = str(price.get("rprs_mrkt_kor_name") or "")
        return Instrument(
            symbol=symbol,
            local_name=await self._rest.name(symbol, sessions.day_of(self._clock.now())),
            exchange="XKOS" if market.startswith(("KOSDAQ", "KSQ")) else "XKRX",
            time_zone="Asia/Seoul",
            currency="KRW",
            price_decimals=0,
            price_limit=PRICE_LIMIT,
            industry=str(price.get("bstp_kor_isnm") or "").strip(),
        )

    async def _days(
        self, symbol: str, interval: str, sessions: Sessions, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Row]]:
        first, last = sessions.first_day(start, interval), sessions.day_of(end)
        async for rows in self._rest.days(symbol, first, last, adjusted=self._adjusted):
            # Days of a suspended symbol have no open, which a week must not take for its low.
            yield rows if interval == "1d" else [row for row in rows if row.open > 0]

    async def _minutes(
        self, symbol: str, interval: str, sessions: Sessions, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Row]]:
        day, last = sessions.first_day(start, interval), sessions.day_of(end)
        oldest = sessions.day_of(self._clock.now() - MINUTES_KEPT)
        if day < oldest:
            log.warning("kis keeps minutes of a year: bars of %s begin on %s, not on %s", symbol, oldest, day)
            day = oldest
        while day <= last:
            session = sessions.of(day)
            if session is not None and session.open < end and session.close > start:
                yield await self._rest.minutes(symbol, session.open, session.close)
            day += _DAY


def _check(symbol: str) -> None:
    """Check the form of a symbol.

    Raises:
        UnknownSymbolError: it has another form than 005930.
    """
    if not _SYMBOL.fullmatch(symbol):
        raise UnknownSymbolError(symbol, "expected 6 or 7 digits and capital letters, such as 005930")


def _close(sessions: Sessions, stamp: date, interval: str) -> datetime | None:
    """Return the close of the bar that a row belongs to; None: outside of sessions."""
    if isinstance(stamp, datetime):
        return sessions.bar_close(stamp, INTERVALS[interval], auction=True)
    return sessions.day_close(stamp) if interval == "1d" else sessions.week_close(stamp)


def _settle(sessions: Sessions, interval: str, close_time: datetime) -> timedelta:
    """Return the time after a bar's close until it is final."""
    if INTERVALS[interval] >= _DAY:
        return DAY_SETTLE
    session = sessions.of(sessions.day_of(close_time))
    return CLOSE_SETTLE if session is not None and session.close == close_time else SETTLE
