"""Daily bars by the package finance-datareader: Korean stocks of Naver, stocks and indices of Yahoo."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from glasstape.exchanges import zone_of
from glasstape.sources.daily import DailySource, Table
from glasstape.sources.errors import (
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from glasstape.sources.polling import Clock
from glasstape.sources.rows import Row
from glasstape.types.market import Instrument

RATE_LIMIT_PAUSE = timedelta(minutes=1)
PREFIXES = {
    "AMEX": "XASE",
    "HKEX": "XHKG",
    "NASDAQ": "XNAS",
    "NAVER": "XKRX",
    "NYSE": "XNYS",
    "SSE": "XSHG",
    "SZSE": "XSHE",
    "TSE": "XTKS",
}
"""ISO 10383 code of each prefix, as in `TSE:7203`."""
INDICES = {
    "DJI": "XNYS",
    "FCHI": "XPAR",
    "FTSE": "XLON",
    "GDAXI": "XETR",
    "HSI": "XHKG",
    "IXIC": "XNAS",
    "N225": "XTKS",
    "RUT": "XNYS",
    "S&P500": "XNYS",
    "SSEC": "XSHG",
    "US500": "XNYS",
}
"""ISO 10383 code of each index."""
_KOREAN = re.compile(r"\d{4}[0-9A-HJ-NP-TV-Z][0-9KLMN]")
_KOREAN_INDICES = frozenset({"KS11", "KOSPI", "KQ11", "KOSDAQ", "KS200", "KPI200"})
_AMERICAN = re.compile(r"[A-Z]{1,5}(-[A-Z])?")
_PROBE = "005930"
"""Exists as long as the provider answers."""
_PRICES = ("Open", "High", "Low", "Close")


class FinanceDataReaderSource(DailySource):
    """Daily and weekly bars of Korean stocks (005930, from Naver) and of stocks and indices of Yahoo (AAPL, TSE:7203).

    Naver's prices are adjusted for splits and rights, back from today; Yahoo's for splits, and with `adjusted` its
    closes for dividends too, with the other prices in proportion. After a split, the history must be fetched again.
    Volume: shares. Days of a suspended Korean stock have an open, high, low and volume of 0.

    The library takes dates of Yahoo from UTC, so markets that open before midnight UTC (Sydney) and currencies would
    be a day early; it hides failed downloads of Korean indices. Both are refused: use yfinance.
    """

    help = "finance-datareader: daily bars of Korean and foreign stocks (extra: finance-datareader)"
    name = "finance-datareader"

    def __init__(
        self, *, adjusted: bool = False, exchange: str | None = None, clock: Clock | None = None
    ) -> None:
        """Describe the provider; nothing is sent yet.

        Args:
            adjusted: adjust prices of Yahoo for dividends too.
            exchange: ISO 10383 code of all symbols; None: by symbol.
            clock: of this machine.

        Raises:
            SourceError: the exchange is unknown, its dates would be early, or the package is missing.
        """
        super().__init__(adjusted=adjusted, exchange=exchange, clock=clock)
        if exchange is not None and exchange not in {"XKRX", *PREFIXES.values(), *INDICES.values(), "XKOS"}:
            raise SourceError(f"--exchange: dates of {exchange} may be a day early here; use yfinance")
        try:
            import FinanceDataReader  # noqa: F401
        except ImportError as error:
            raise SourceError(
                f"finance-datareader: {error}; run: pip install 'glasstape[finance-datareader]'"
            ) from None

    async def instruments(self, symbols: Sequence[str]) -> Sequence[Instrument]:
        """Return exchanges, zones and currencies of symbols; the library has no names by symbol.

        Raises:
            UnknownSymbolError: the symbol has none of the forms that are read.
        """
        exchanges = [self._exchange or exchange_of(symbol) for symbol in symbols]
        return [_instrument(symbol, exchange) for symbol, exchange in zip(symbols, exchanges, strict=True)]

    def exchange_of(self, symbol: str, table: Table) -> str:
        """Return the exchange that the form of a symbol states.

        Raises:
            UnknownSymbolError: the symbol has none of the forms that are read.
        """
        return exchange_of(symbol)

    def download(self, symbol: str, first: date, last: date) -> Table:
        """Return the rows of dates, both included. Runs on a worker thread.

        Raises:
            UnknownSymbolError: the provider has no such symbol.
            SourceUnavailableError: retrying may help.
        """
        if self._exchange is None:
            exchange_of(symbol)  # refuses what the library would misread
        rows = self._rows(symbol, first, last)
        if not rows and not self._rows(_PROBE, last - timedelta(days=30), last):
            raise SourceUnavailableError("finance-datareader: the provider answers without prices")
        if not rows:
            raise UnknownSymbolError(symbol, "the provider has no prices of it: unknown or delisted")
        return Table(rows, {})

    def _rows(self, symbol: str, first: date, last: date) -> list[Row]:
        """Return the rows of dates; empty if the provider has none.

        Raises:
            UnknownSymbolError: the provider answered that there is no such symbol.
            RateLimitedError: it received too many requests.
            SourceUnavailableError: retrying may help.
        """
        import FinanceDataReader
        from requests import HTTPError

        try:
            # The library reads dates as local times and leaves the last one out.
            frame = FinanceDataReader.DataReader(
                symbol, first.isoformat(), (last + timedelta(days=2)).isoformat()
            )
            rows = [_row(stamp.date(), values, self._adjusted) for stamp, values in frame.iterrows()]
        except HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status == 429:
                raise RateLimitedError(
                    "finance-datareader: the provider received too many requests", RATE_LIMIT_PAUSE
                ) from None
            if status == 404:
                raise UnknownSymbolError(symbol, "the provider has no such symbol") from None
            raise SourceUnavailableError(f"finance-datareader: {symbol}: HTTP {status}") from None
        except Exception as error:  # the library raises whatever its parsers do
            raise SourceUnavailableError(
                f"finance-datareader: no answer for {symbol}: {type(error).__name__}: {str(error)[:100]}"
            ) from None
        return [row for row in rows if first <= row.stamp <= last and not any(map(math.isnan, row[1:]))]


def exchange_of(symbol: str) -> str:
    """Return the exchange of a symbol, by its form: 005930, AAPL, BRK-B, TSE:7203 or US500.

    Raises:
        UnknownSymbolError: the symbol has another form.
    """
    prefix, separator, _ = symbol.partition(":")
    if separator and prefix in PREFIXES:
        return PREFIXES[prefix]
    if symbol in _KOREAN_INDICES:
        raise UnknownSymbolError(
            symbol, "its failed downloads look like missing days here; use yfinance with ^KS11"
        )
    if symbol in INDICES:
        return INDICES[symbol]
    if _KOREAN.fullmatch(symbol):
        return "XKRX"
    if _AMERICAN.fullmatch(symbol):
        return "XNYS"
    raise UnknownSymbolError(
        symbol,
        f"expected 005930, AAPL, a prefix of {', '.join(PREFIXES)}, or an index of {', '.join(INDICES)}",
    )


def _row(day: date, values: Mapping[str, Any], adjusted: bool) -> Row:
    """Return the values of a date; adjusted for dividends, in the proportion that the close is."""
    factor = values["Adj Close"] / values["Close"] if adjusted and "Adj Close" in values else 1.0
    opened, high, low, closed = (float(values[name]) * factor for name in _PRICES)
    return Row(day, opened, high, low, closed, float(values["Volume"]))


def _instrument(symbol: str, exchange: str) -> Instrument:
    korean = exchange == "XKRX"
    return Instrument(
        symbol=symbol,
        exchange=exchange,
        time_zone=zone_of(exchange),
        currency="KRW" if korean else "",
        price_decimals=0 if korean else None,
        price_limit=0.3 if korean else None,
    )
