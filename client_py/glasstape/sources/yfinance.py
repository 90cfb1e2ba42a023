"""Daily bars of Yahoo Finance: stocks, indices, currencies, futures and crypto of the world (package yfinance)."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from glasstape.sources.daily import CONTEXT, DailySource, Table
from glasstape.sources.errors import (
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from glasstape.sources.polling import Clock
from glasstape.sources.rows import Row
from glasstape.sources.sessions import CURRENCIES
from glasstape.types.market import Instrument

REQUEST_TIMEOUT_S = 30.0
RATE_LIMIT_PAUSE = timedelta(minutes=1)
EXCHANGES = {
    "AMS": "XAMS",
    "ASE": "XASE",
    "ASX": "XASX",
    "BRU": "XBRU",
    "BSE": "XBOM",
    "BTS": "BATS",
    "CBT": "CMES",
    "CCC": "24/7",
    "CCY": CURRENCIES,
    "CME": "CMES",
    "CMX": "CMES",
    "DJI": "XNYS",
    "EBS": "XSWX",
    "FGI": "XLON",
    "FRA": "XFRA",
    "GER": "XETR",
    "HKG": "XHKG",
    "JPX": "XTKS",
    "KOE": "XKOS",
    "KSC": "XKRX",
    "LIS": "XLIS",
    "LSE": "XLON",
    "MCE": "XMAD",
    "MIL": "XMIL",
    "NCM": "XNAS",
    "NGM": "XNAS",
    "NIM": "XNAS",
    "NMS": "XNAS",
    "NSI": "XNSE",
    "NYM": "CMES",
    "NYQ": "XNYS",
    "OSA": "XTKS",
    "PAR": "XPAR",
    "PCX": "ARCX",
    "PNK": "XNYS",
    "SES": "XSES",
    "SHH": "XSHG",
    "SHZ": "XSHE",
    "SNP": "XNYS",
    "TAI": "XTAI",
    "TOR": "XTSE",
}
"""ISO 10383 code of each exchange of Yahoo, or of one that keeps its hours."""
_DETAILS = ("currency", "exchangeName", "exchangeTimezoneName", "longName", "priceHint", "shortName")
_PRICES = ("Open", "High", "Low", "Close")


class YfinanceSource(DailySource):
    """Daily and weekly bars of Yahoo Finance. Yahoo gives no guarantee of them and no limit of requests.

    Yahoo's dates are of the exchange's zone. Its prices are always adjusted for splits, back from today, and with
    `adjusted` for dividends: after a split, older bars differ from those that were live before it, and the history
    must be fetched again. Volume: shares, contracts or coins, 0 for most currencies and some indices. A day without
    prices has no bar.
    """

    help = "Yahoo Finance: daily bars of stocks, indices, currencies, crypto (extra: yfinance)"
    name = "yfinance"

    def __init__(
        self, *, adjusted: bool = False, exchange: str | None = None, clock: Clock | None = None
    ) -> None:
        """Describe the provider; nothing is sent yet.

        Args:
            adjusted: adjust prices for dividends too.
            exchange: ISO 10383 code of all symbols; None: as Yahoo states.
            clock: of this machine.

        Raises:
            SourceError: the exchange is unknown, or the package yfinance is not installed.
        """
        super().__init__(adjusted=adjusted, exchange=exchange, clock=clock)
        try:
            import yfinance
        except ImportError as error:
            raise SourceError(f"yfinance: {error}; run: pip install 'glasstape[yfinance]'") from None
        yfinance.config.debug.hide_exceptions = False  # else errors are logged, and the answer looks empty

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return names, exchanges, currencies and decimals of symbols.

        Raises:
            UnknownSymbolError: Yahoo has no such symbol, or no prices of the last two weeks.
            SourceUnavailableError: retrying may help.
        """
        today = self._clock.now().date()
        tables = [await self._table(symbol, today - CONTEXT, today) for symbol in symbols]
        return [_instrument(symbol, table.details) for symbol, table in zip(symbols, tables, strict=True)]

    def exchange_of(self, symbol: str, table: Table) -> str:
        """Return the exchange that Yahoo states.

        Raises:
            SourceError: it is not in `EXCHANGES`.
        """
        exchange = str(table.details.get("exchangeName"))
        if exchange not in EXCHANGES:
            raise SourceError(
                f"{symbol}: the sessions of Yahoo's exchange {exchange!r} are unknown; state --exchange"
            )
        return EXCHANGES[exchange]

    def download(self, symbol: str, first: date, last: date) -> Table:
        """Return the rows of dates, both included. Runs on a worker thread.

        Raises:
            UnknownSymbolError: Yahoo has no such symbol, or no prices of these dates.
            RateLimitedError: it received too many requests.
            SourceUnavailableError: retrying may help.
        """
        import yfinance
        from yfinance import exceptions

        try:
            ticker = yfinance.Ticker(symbol)
            frame = ticker.history(
                start=first,
                end=last + timedelta(days=1),
                interval="1d",
                auto_adjust=self._adjusted,
                actions=False,
                timeout=REQUEST_TIMEOUT_S,
            )
            # Not the whole mapping: others of its keys send requests.
            details = {key: ticker.history_metadata.get(key) for key in _DETAILS}
            rows = [
                Row(stamp.date(), *(float(value) for value in values))
                for stamp, *values in frame[[*_PRICES, "Volume"]].itertuples()
            ]
        except exceptions.YFRateLimitError:
            raise RateLimitedError("yfinance: Yahoo received too many requests", RATE_LIMIT_PAUSE) from None
        except exceptions.YFTzMissingError:
            raise UnknownSymbolError(symbol, "Yahoo has no such symbol: unknown or delisted") from None
        except exceptions.YFPricesMissingError as error:
            reason = error.yahoo_reason or ""
            if "delisted" in reason or "not found" in reason.lower():
                raise UnknownSymbolError(symbol, f"Yahoo has no such symbol: {reason}") from None
            raise SourceUnavailableError(
                f"yfinance: no prices of {symbol}: {reason or 'no reason stated'}"
            ) from None
        except Exception as error:  # the library raises errors of its parsers and of two HTTP libraries
            raise SourceUnavailableError(
                f"yfinance: no answer for {symbol}: {type(error).__name__}: {str(error)[:100]}"
            ) from None
        return Table([row for row in rows if not any(map(math.isnan, row[1:]))], details)


def _instrument(symbol: str, details: Mapping[str, Any]) -> Instrument:
    hint = details.get("priceHint")
    exchange = EXCHANGES.get(str(details.get("exchangeName")), "")
    return Instrument(
        symbol=symbol,
        name=str(details.get("longName") or details.get("shortName") or ""),
        exchange="" if exchange == CURRENCIES else exchange,
        time_zone=str(details.get("exchangeTimezoneName") or "UTC"),
        currency=str(details.get("currency") or ""),
        price_decimals=int(hint) if isinstance(hint, int) else None,
    )
