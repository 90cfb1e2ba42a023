"""REST requests to Alpaca, by the package alpaca-py on worker threads."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from glasstape.sources.credentials import Credentials
from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from glasstape.sources.polling import Clock, Pace
from glasstape.sources.rows import Row

if TYPE_CHECKING:
    from alpaca.common.exceptions import APIError
    from alpaca.common.rest import RESTClient

PAGE_SIZE = 10_000
"""Rows of an answer, the most that Alpaca allows."""
REQUESTS_PER_S = 3.0
"""Of 200 a minute that the free plan allows."""
REQUEST_TIMEOUT_S = 30.0
RATE_LIMIT_PAUSE = timedelta(minutes=1)
"""Window of Alpaca's rate limit."""


@dataclass(frozen=True, slots=True)
class AlpacaUrls:
    """Addresses of Alpaca's services."""

    data: str = "https://data.alpaca.markets"
    stream: str = "wss://stream.data.alpaca.markets"
    trading: str = "https://api.alpaca.markets"
    paper_trading: str = "https://paper-api.alpaca.markets"


def is_crypto(symbol: str) -> bool:
    """Return whether a symbol is a pair such as BTC/USD."""
    return "/" in symbol


class AlpacaRest:
    """Requests of one account. Keys that begin with `PK` are of a paper account."""

    def __init__(self, credentials: Credentials, urls: AlpacaUrls, clock: Clock) -> None:
        """Describe an account; nothing is sent yet.

        Raises:
            SourceError: the package alpaca-py is not installed.
        """
        self._credentials = credentials
        self._pace = Pace(REQUESTS_PER_S, clock)
        paper = credentials["key"].startswith("PK")
        self._trading = _client(credentials, urls.paper_trading if paper else urls.trading, "v2")
        self._stocks = _client(credentials, urls.data, "v2")
        self._crypto = _client(credentials, urls.data, "v1beta3")

    async def market_time(self) -> datetime:
        """Return Alpaca's time.

        Raises:
            CredentialsError: Alpaca refused the credentials.
            SourceUnavailableError: retrying may help.
        """
        answer = await self._get(self._trading, "/clock", {})
        try:
            return datetime.fromisoformat(answer["timestamp"])
        except (KeyError, TypeError, ValueError):
            raise SourceUnavailableError("alpaca: the answer of /clock has no timestamp") from None

    async def asset(self, symbol: str) -> Mapping[str, Any]:
        """Return Alpaca's description of a symbol.

        Raises:
            UnknownSymbolError: there is none, or it is inactive.
            CredentialsError: Alpaca refused the credentials.
            SourceUnavailableError: retrying may help.
        """
        asset = await self._get(self._trading, f"/assets/{symbol.replace('/', '%2F')}", {}, symbol)
        if asset.get("status") != "active":
            raise UnknownSymbolError(symbol, "inactive: delisted or renamed")
        return asset

    async def rows(self, symbol: str, parameters: Mapping[str, Any]) -> AsyncIterator[list[Row]]:
        """Yield pages of rows stamped by the open, oldest first.

        Args:
            symbol: a stock, or a pair such as BTC/USD.
            parameters: timeframe, start, end, feed and adjustment of the request.

        Raises:
            UnknownSymbolError: there is none.
            CredentialsError: Alpaca refused the credentials.
            SourceError: the feed is not part of the subscription.
            SourceUnavailableError: retrying may help.
        """
        crypto = is_crypto(symbol)
        client, path = (self._crypto, "/crypto/us/bars") if crypto else (self._stocks, "/stocks/bars")
        query = {**parameters, "symbols": symbol, "limit": PAGE_SIZE, "sort": "asc"}
        while True:
            answer = await self._get(client, path, query, symbol)
            try:
                yield [row_of(raw) for raw in (answer["bars"] or {}).get(symbol) or ()]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise SourceUnavailableError(f"alpaca: a bar of {symbol} cannot be read: {error!r}") from None
            if not answer.get("next_page_token"):
                return
            query["page_token"] = answer["next_page_token"]

    async def _get(
        self, client: "RESTClient", path: str, query: Mapping[str, Any], symbol: str = ""
    ) -> Mapping[str, Any]:
        """Return the answer to a request.

        Raises:
            CredentialsError: Alpaca refused the credentials.
            SourceError: it refused the request.
            SourceUnavailableError: retrying may help.
        """
        from alpaca.common.exceptions import APIError
        from requests import RequestException

        await self._pace.turn()
        try:
            answer = await asyncio.to_thread(client.get, path, dict(query))
        except APIError as error:
            raise self._translated(error, symbol) from None
        except (RequestException, ValueError) as error:
            reason = self._credentials.redact(f"{type(error).__name__}")
            raise SourceUnavailableError(f"alpaca: no answer to {path}: {reason}") from None
        if not isinstance(answer, dict):
            raise SourceUnavailableError(f"alpaca: the answer to {path} is not a JSON object")
        return answer

    def _translated(self, error: "APIError", symbol: str) -> SourceError:
        status = error.status_code or 0
        try:
            message = str(error.message)
        except (ValueError, KeyError, TypeError):  # HTML of a proxy or of maintenance
            message = "no JSON"
        reason = self._credentials.redact(f"alpaca: HTTP {status}: {message[:200]}")
        if status == 429:
            return RateLimitedError(reason, RATE_LIMIT_PAUSE)
        if status == 403 and "subscription" in message:
            return SourceError(f"{reason}; use --feed iex")
        if status in (401, 403):
            return CredentialsError(reason)
        if symbol and (status == 404 or (status in (400, 422) and "symbol" in message)):
            return UnknownSymbolError(symbol, f"alpaca has no such symbol ({message[:100]})")
        if 400 <= status < 500:
            return SourceError(reason)
        return SourceUnavailableError(reason)


def row_of(raw: Mapping[str, Any]) -> Row:
    """Return a bar of an answer or of the stream as a row stamped by its open.

    Raises:
        KeyError: a field is missing.
        ValueError: a field is not a number or a time.
    """
    values = (float(raw[key]) for key in ("o", "h", "l", "c", "v"))
    return Row(datetime.fromisoformat(raw["t"]), *values)


def _client(credentials: Credentials, url: str, version: str) -> "RESTClient":
    """Return a client with a time-out, which the library does not set.

    Raises:
        SourceError: the package alpaca-py is not installed.
    """
    try:
        from alpaca.common.rest import RESTClient
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise SourceError(f"alpaca: {error}; run: pip install 'glasstape[alpaca]'") from None

    class Adapter(HTTPAdapter):
        def send(self, *args: Any, **options: Any) -> Any:
            return super().send(*args, **{**options, "timeout": REQUEST_TIMEOUT_S})

    client = RESTClient(
        base_url=url,
        api_key=credentials["key"],
        secret_key=credentials["secret"],
        api_version=version,
        raw_data=True,
        retry_exception_codes=[0],  # no status: retries here would block a thread
    )
    for scheme in ("https://", "http://"):
        client._session.mount(scheme, Adapter())
    return client
