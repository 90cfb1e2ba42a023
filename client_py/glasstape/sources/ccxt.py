"""`ccxt`: any exchange of the ccxt library, by REST and WebSocket."""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Self

from glasstape.sources.aggregator import TickAggregator, Trade
from glasstape.sources.ccxt_errors import translated_errors
from glasstape.sources.credentials import add_credentials_argument, read_credentials
from glasstape.sources.errors import SourceError, SourceUnavailableError, UnknownSymbolError
from glasstape.sources.source import Source
from glasstape.textfile import read_text
from glasstape.types.market import INTERVALS, Bar, Instrument

PAGE = 500
"""Candles of one request; every exchange allows so many, or returns fewer."""
POLL_SECONDS = 5.0
"""Pause between two requests for the forming candles of an exchange without WebSocket."""
SECRETS = {
    "apiKey": "CCXT_API_KEY",
    "secret": "CCXT_SECRET",
    "password": "CCXT_PASSWORD",
    "uid": "CCXT_UID",
    "token": "CCXT_TOKEN",
}
"""Environment variable of each credential. Candles of most exchanges need none."""


class CcxtSource(Source):
    """An exchange of ccxt.

    Candles from the WebSocket are provisional: exchanges may send the last change of a candle after the next one has
    begun. The final values come by REST, after the close.

    Args:
        exchange: object of `ccxt.pro`, or of `ccxt.async_support` for exchanges without WebSocket; with
            `enableLastJsonResponse`.
    """

    help: ClassVar[str] = "crypto exchanges, by the ccxt library"

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """See `Source.add_arguments`."""
        parser.add_argument(
            "--exchange", required=True, metavar="ID", help="exchange as ccxt names it, for example binance"
        )
        parser.add_argument(
            "--market-type", metavar="TYPE", help="spot, swap, future, … (default: the exchange's)"
        )
        parser.add_argument(
            "--ccxt-config",
            type=Path,
            metavar="FILE",
            help="JSON file of ccxt settings: urls, proxies, options, …",
        )
        add_credentials_argument(parser)

    @classmethod
    def from_options(cls, options: argparse.Namespace) -> Self:
        """See `Source.from_options`.

        Raises:
            SourceError: ccxt is not installed, or an option is invalid.
            CredentialsError: only a part of the credentials is there.
        """
        try:
            import ccxt.async_support as rest
            import ccxt.pro as pro
        except ModuleNotFoundError:
            raise SourceError(
                "ccxt: requires an optional dependency: pip install 'glasstape[ccxt]'"
            ) from None
        if options.exchange not in rest.exchanges:
            raise SourceError(f"--exchange: must be an exchange of ccxt, is {options.exchange!r}")
        fixed = {"enableRateLimit": True, "newUpdates": True, "enableLastJsonResponse": True}
        config = {**fixed, **_config(options.ccxt_config)}
        urls = config.pop("urls", {})
        if options.market_type:
            config["options"] = {**config.get("options", {}), "defaultType": options.market_type}
        module = pro if options.exchange in pro.exchanges else rest
        exchange = getattr(module, options.exchange)(config)
        exchange.urls = exchange.deep_extend(exchange.urls, urls)
        names = {key: name for key, name in SECRETS.items() if exchange.requiredCredentials.get(key)}
        for key, value in read_credentials("ccxt", names, options.credentials, required=False).items():
            setattr(exchange, key, value)
        return cls(exchange)

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """See `Source.instruments`."""
        with translated_errors(self.exchange):
            await self.exchange.load_markets()
        return [self._instrument(symbol) for symbol in symbols]

    async def history(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> AsyncIterator[Sequence[Bar]]:
        """See `Source.history`.

        Raises:
            SourceError: see `Source.history`.
            UnknownSymbolError: see `Source.history`.
            SourceUnavailableError: see `Source.history`.
        """
        length = INTERVALS[interval]
        timeframe = self._timeframe(interval)
        since = start - length
        while since + length < end:
            with translated_errors(self.exchange, symbol):
                candles = await self.exchange.fetch_ohlcv(
                    symbol, timeframe, since=_milliseconds(since) + 1, limit=PAGE
                )
                bars = [_bar(symbol, interval, candle) for candle in candles]
            if (
                not bars and self.exchange.last_json_response is None
            ):  # ccxt reads no candles from a page of HTML
                raise SourceUnavailableError(f"{symbol}: the answer is not JSON")
            bars.sort(key=lambda bar: bar.close_time)
            yield [bar for bar in bars if start < bar.close_time <= end]
            newest = bars[-1].close_time - length if bars else since
            # Some exchanges answer with nothing where a page holds no candle.
            since = newest if newest > since else since + PAGE * length

    async def live(self, symbols: Sequence[str], interval: str) -> AsyncIterator[Bar]:
        """See `Source.live`."""
        timeframe = self._timeframe(interval)
        queue: asyncio.Queue[Bar | Exception] = asyncio.Queue(maxsize=10_000)
        tasks = [asyncio.create_task(self._watch(symbol, interval, timeframe, queue)) for symbol in symbols]
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if hasattr(self.exchange, "close_ws_clients"):
                await self.exchange.close_ws_clients()

    async def now(self) -> datetime:
        """See `Source.now`."""
        if not self.exchange.has.get("fetchTime"):
            return await super().now()
        with translated_errors(self.exchange):
            return datetime.fromtimestamp(await self.exchange.fetch_time() / 1000, UTC)

    async def close(self) -> None:
        """See `Source.close`."""
        await self.exchange.close(True)  # with False, 4.5.60 leaves the connections of REST open

    async def _watch(
        self, symbol: str, interval: str, timeframe: str, queue: "asyncio.Queue[Bar | Exception]"
    ) -> None:
        # One task for each symbol: `watch_ohlcv_for_symbols` reports only the first of messages that arrive together.
        try:
            aggregator = TickAggregator(interval)
            while True:
                with translated_errors(self.exchange, symbol):
                    bars = await self._updates(symbol, interval, timeframe, aggregator)
                for bar in bars:
                    await queue.put(bar)
        except Exception as error:
            await queue.put(error)

    async def _updates(
        self, symbol: str, interval: str, timeframe: str, aggregator: TickAggregator
    ) -> list[Bar]:
        """Return the provisional bars that changed since the last call."""
        exchange = self.exchange
        if exchange.has.get("watchOHLCV"):
            candles = await exchange.watch_ohlcv(symbol, timeframe)
        elif exchange.has.get("watchTrades"):
            return _bars_of_trades(symbol, await exchange.watch_trades(symbol), aggregator)
        else:
            await asyncio.sleep(POLL_SECONDS)
            candles = (await exchange.fetch_ohlcv(symbol, timeframe, limit=2))[-1:]
        return [_bar(symbol, interval, candle, provisional=True) for candle in candles]

    def _market(self, symbol: str) -> Mapping[str, Any]:
        with translated_errors(self.exchange, symbol):
            market: Mapping[str, Any] = self.exchange.market(symbol)
        if market.get("active") is False:
            raise UnknownSymbolError(symbol, "the exchange no longer trades it")
        return market

    def _instrument(self, symbol: str) -> Instrument:
        market = self._market(symbol)
        tick = (market.get("precision") or {}).get("price")
        return Instrument(
            symbol=symbol,
            name=f"{market['base']}/{market['quote']} on {self.exchange.name}",
            exchange="24/7",
            currency=market["quote"] or "",
            tick_size=float(tick) if tick and self.exchange.precisionMode == _TICK_SIZE else None,
        )

    def _timeframe(self, interval: str) -> str:
        available = self.exchange.timeframes or {}
        if interval not in available:
            known = " ".join(name for name in available if name in INTERVALS)
            raise SourceError(f"--interval: {self.exchange.id} has {known or 'no candles'}, not {interval}")
        return interval


_TICK_SIZE = 4
"""`ccxt.TICK_SIZE`: precisions are steps."""


def _config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        config = json.loads(read_text(path))
    except (OSError, ValueError) as error:
        raise SourceError(f"--ccxt-config: {path}: {error}") from None
    if not isinstance(config, dict):
        raise SourceError(f"--ccxt-config: {path}: must hold one JSON object")
    return config


def _bar(symbol: str, interval: str, candle: Sequence[Any], *, provisional: bool = False) -> Bar:
    """Return the bar of a candle (open time in milliseconds, open, high, low, close, volume).

    Raises:
        SourceUnavailableError: a value is missing.
    """
    try:
        opened, *numbers = (float(value) for value in candle[:6])
        open_, high, low, close, volume = numbers
    except (TypeError, ValueError):
        raise SourceUnavailableError(f"{symbol}: a candle cannot be read: {candle!r}") from None
    return Bar(
        symbol=symbol,
        interval=interval,
        close_time=datetime.fromtimestamp(opened / 1000, UTC) + INTERVALS[interval],
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        provisional=provisional,
    )


def _bars_of_trades(
    symbol: str, trades: Sequence[Mapping[str, Any]], aggregator: TickAggregator
) -> list[Bar]:
    """Return the provisional bars that trades changed, each once."""
    bars: dict[datetime, Bar] = {}
    for trade in trades:
        time = datetime.fromtimestamp(trade["timestamp"] / 1000, UTC)
        aggregator.advance(time)  # forgets bars that are complete: history has them
        tick = Trade(symbol=symbol, time=time, price=float(trade["price"]), size=float(trade["amount"]))
        bar = aggregator.add(tick)
        if bar is not None:
            bars[bar.close_time] = bar
    return list(bars.values())


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
