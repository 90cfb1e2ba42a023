"""Stocks and crypto of Alpaca: bars by REST (package alpaca-py) and WebSocket."""

import argparse
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from glasstape.sources.alpaca_rest import AlpacaRest, AlpacaUrls, is_crypto
from glasstape.sources.alpaca_stream import stream_minutes
from glasstape.sources.credentials import Credentials, add_credentials_argument, read_credentials
from glasstape.sources.errors import SourceError
from glasstape.sources.live_bars import LATEST_PROVISIONAL, LiveBars
from glasstape.sources.polling import Clock, catch_up, merge, poll
from glasstape.sources.rows import BarBuilder, bars_of
from glasstape.sources.sessions import ContinuousSessions, ExtendedSessions, Sessions, load_sessions
from glasstape.sources.source import Source
from glasstape.types.market import INTERVALS, Bar, Instrument

VARIABLES = {"key": "APCA_API_KEY_ID", "secret": "APCA_API_SECRET_KEY"}
LATE_TRADES = timedelta(seconds=40)
"""Time after a minute in which late trades correct its bar: Alpaca publishes corrections half a minute later."""
DAY_SETTLE = timedelta(hours=4, minutes=15)
"""Time after a session's close in which trades after hours still add to the volume of its daily bar."""
EXCHANGES = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "CRYPTO": "24/7",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "NYSEARCA": "ARCX",
}
"""ISO 10383 codes of Alpaca's exchange names."""
_UTC, _CHICAGO = ZoneInfo("UTC"), ZoneInfo("America/Chicago")
_CLOCK_AGE = timedelta(minutes=10)
_DAY = timedelta(days=1)


class AlpacaSource(Source):
    """US stocks and crypto of an Alpaca account.

    Bars are Alpaca's own, restamped from open to close. Stocks: the regular session alone unless `extended_hours`;
    1h and longer are merged from 30-minute bars counted from the session's open, because Alpaca's begin on the full
    hour. Prices are unadjusted unless `adjusted`: the stream is unadjusted, so a model trained on adjusted prices
    would see other values when serving. Volume: shares of the feed (of IEX alone with the free plan), or coins.
    Minutes without trades have no bar.
    """

    help = "Alpaca: US stocks and crypto, 1m to 1w (extra: alpaca)"
    sparse: ClassVar[bool] = True

    def __init__(
        self,
        credentials: Credentials,
        *,
        feed: str = "iex",
        adjusted: bool = False,
        extended_hours: bool = False,
        settle: timedelta = LATE_TRADES,
        urls: AlpacaUrls | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Describe an account; nothing is sent yet.

        Args:
            credentials: `key` and `secret`.
            feed: of stocks, `iex` or `sip`.
            adjusted: adjust the history for splits and dividends.
            extended_hours: include trading before 9:30 and after 16:00.
            settle: time after a bar's close until it is final.
            urls: addresses of the services; default: Alpaca's.
            clock: of the market.

        Raises:
            SourceError: the package alpaca-py or aiohttp is not installed.
        """
        try:
            import aiohttp  # noqa: F401  # of the stream, checked before hours of history are fetched
        except ImportError as error:
            raise SourceError(f"alpaca: {error}; run: pip install 'glasstape[alpaca]'") from None
        self._credentials = credentials
        self._urls = urls or AlpacaUrls()
        self._feed = feed
        self._adjusted = adjusted
        self._extended_hours = extended_hours
        self._settle = settle
        self._clock = clock or Clock()
        self._clock_read: datetime | None = None
        self._rest = AlpacaRest(credentials, self._urls, self._clock)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add `--feed`, `--adjusted`, `--extended-hours`, `--settle` and `--credentials`."""
        parser.add_argument(
            "--feed", choices=("iex", "sip"), default="iex", help="feed of stocks (default: iex)"
        )
        parser.add_argument(
            "--adjusted", action="store_true", help="adjust the history for splits and dividends"
        )
        parser.add_argument(
            "--extended-hours", action="store_true", help="include trading outside of 9:30 to 16:00"
        )
        parser.add_argument(
            "--settle",
            type=float,
            default=LATE_TRADES.total_seconds(),
            metavar="SECONDS",
            help="time after a bar's close until it is final, since late trades change it (default: 40)",
        )
        add_credentials_argument(parser)

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """Return a source made from parsed options.

        Raises:
            CredentialsError: credentials are missing from environment, key ring and file.
            SourceError: `--settle` is out of range, or alpaca-py is not installed.
        """
        if not 0 <= options.settle <= 3600:
            raise SourceError(f"--settle: must be 0 to 3600 seconds, is {options.settle:g}")
        return cls(
            read_credentials("alpaca", VARIABLES, options.credentials),
            feed=options.feed,
            adjusted=options.adjusted,
            extended_hours=options.extended_hours,
            settle=timedelta(seconds=options.settle),
        )

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return names, exchanges and price steps of symbols.

        Raises:
            UnknownSymbolError: Alpaca has no such symbol, or it is inactive.
            SourceUnavailableError: retrying may help.
        """
        return [_instrument(symbol, await self._rest.asset(symbol)) for symbol in symbols]

    async def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """Yield pages of final bars with `start < close_time <= end`, oldest first.

        Raises:
            UnknownSymbolError: Alpaca has no such symbol.
            SourceError: the feed is not part of the subscription.
            SourceUnavailableError: retrying may help; pages yielded so far stay valid.
        """
        sessions = await self._sessions(symbol, interval)
        first = datetime.combine(sessions.first_day(start, interval), time(), sessions.zone)
        if is_crypto(symbol) and interval == "1w":
            first -= 7 * _DAY  # the week may begin at midnight of another zone
        parameters = {
            "timeframe": _timeframe(interval, is_crypto(symbol)),
            "start": first.isoformat(),
            "end": end.isoformat(),
        }
        if not is_crypto(symbol):
            parameters |= {"feed": self._feed, "adjustment": "all" if self._adjusted else "raw"}
        last = min(end, await self.now() - self._final_after(symbol, interval))
        builder = BarBuilder(symbol, interval, lambda stamp: _close(sessions, symbol, stamp, interval))
        async for bars in bars_of(self._rest.rows(symbol, parameters), builder, start, last):
            yield bars

    async def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """Yield bars until the connection is lost: final ones after `settle`, provisional ones if it is 8 s or less.

        Daily and weekly bars are polled after the close.

        Raises:
            CredentialsError: Alpaca refused the credentials.
            SourceError: stocks and crypto are mixed, or a limit of the subscription is exceeded.
            SourceUnavailableError: the connection is lost.
        """
        if len({is_crypto(symbol) for symbol in symbols}) > 1:
            raise SourceError("alpaca: stocks and crypto have separate streams; follow them by two commands")
        sessions = await self._sessions(symbols[0], interval)
        await self.now()

        def requests(symbol: str, start: datetime, end: datetime) -> AsyncIterator[Sequence[Bar]]:
            return self.history(symbol, interval, start, end)

        def next_close(moment: datetime) -> datetime:
            return sessions.next_close(moment, interval)

        settle = self._final_after(symbols[0], interval)
        if INTERVALS[interval] >= _DAY:
            bars = poll(requests, symbols, next_close, settle, self._clock)
        else:
            bars = self._stream(symbols, interval, sessions)
            if settle > LATEST_PROVISIONAL:
                bars = merge([bars, catch_up(requests, symbols, next_close, settle, self._clock)])
        async for bar in bars:
            yield bar

    async def now(self) -> datetime:
        """Return Alpaca's time, read from it every 10 minutes.

        Raises:
            SourceUnavailableError: retrying may help.
        """
        machine_time = self._clock.machine_time()
        if self._clock_read is None or machine_time - self._clock_read >= _CLOCK_AGE:
            self._clock.observe(await self._rest.market_time())
            self._clock_read = machine_time
        return self._clock.now()

    def _stream(self, symbols: Sequence[str], interval: str, sessions: Sessions) -> AsyncIterator[Bar]:
        forming = LiveBars(
            interval,
            lambda symbol, stamp: _close(sessions, symbol, stamp, interval),
            lambda _: self._settle,
        )
        path = "v1beta3/crypto/us" if is_crypto(symbols[0]) else f"v2/{self._feed}"
        return stream_minutes(f"{self._urls.stream}/{path}", self._credentials, symbols, forming, self._clock)

    def _final_after(self, symbol: str, interval: str) -> timedelta:
        daily = INTERVALS[interval] >= _DAY and not is_crypto(symbol)
        return DAY_SETTLE if daily else self._settle

    async def _sessions(self, symbol: str, interval: str) -> Sessions:
        daily = INTERVALS[interval] >= _DAY
        if is_crypto(symbol):
            return ContinuousSessions(_CHICAGO if daily else _UTC)
        regular = await load_sessions("XNYS")
        if daily or not self._extended_hours:
            return regular
        return ExtendedSessions(regular, time(4), timedelta(hours=4))


def _timeframe(interval: str, crypto: bool) -> str:
    """Return Alpaca's timeframe of the rows that bars of an interval are merged from."""
    length = INTERVALS[interval]
    if length >= _DAY:
        return "1Day"
    if length < timedelta(hours=1):
        return f"{length // timedelta(minutes=1)}Min"
    return f"{length // timedelta(hours=1)}Hour" if crypto else "30Min"


def _close(sessions: Sessions, symbol: str, opened: date, interval: str) -> datetime | None:
    """Return the close of the bar that a row belongs to; None: outside of sessions.

    Raises:
        SourceError: a daily row does not begin at midnight.
    """
    assert isinstance(opened, datetime)
    if INTERVALS[interval] < _DAY:
        return sessions.bar_close(opened, INTERVALS[interval])
    days = sessions
    if is_crypto(symbol) and opened.astimezone(_UTC).time() == time():
        days = ContinuousSessions(_UTC)
    if opened.astimezone(days.zone).time() != time():
        raise SourceError(f"alpaca: a daily bar of {symbol} begins at {opened}, expected midnight")
    day = days.day_of(opened)
    return days.day_close(day) if interval == "1d" else days.week_close(day)


def _instrument(symbol: str, asset: Mapping[str, Any]) -> Instrument:
    step = asset.get("price_increment")
    return Instrument(
        symbol=symbol,
        name=str(asset.get("name") or ""),
        exchange=EXCHANGES.get(str(asset.get("exchange")), ""),
        time_zone="UTC" if is_crypto(symbol) else "America/New_York",
        currency=symbol.partition("/")[2] if is_crypto(symbol) else "USD",
        tick_size=float(step) if step else None,
    )
