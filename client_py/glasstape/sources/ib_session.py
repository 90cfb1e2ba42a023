"""Connection to TWS or IB Gateway (package ib_async), with its errors translated."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from glasstape.sources.errors import (
    CredentialsError,
    RateLimitedError,
    SourceError,
    SourceUnavailableError,
    UnknownSymbolError,
)
from glasstape.sources.ib_contracts import contract_of
from glasstape.sources.polling import Clock, Pace

if TYPE_CHECKING:
    from ib_async import IB, BarDataList, ContractDetails

log = logging.getLogger(__name__)

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 60.0
REQUESTS_PER_S = 2.0
"""Six requests of one contract within two seconds violate the pacing rules."""
PACING_PAUSE = timedelta(minutes=1)
_NO_DATA = "returned no data"
_UNKNOWN_CONTRACT = 200
_HISTORY_ERROR = 162
_NOT_SUBSCRIBED = frozenset({354, 10089, 10090, 10168, 10186})
_LOST = frozenset({1100, 1300, 10182})
"""Errors after which a stream gets no bars: TWS lost its servers, or its port changed."""


@dataclass(frozen=True, slots=True)
class IbAddress:
    """Where TWS or IB Gateway listens: ports 7496 and 4001, of paper accounts 7497 and 4002."""

    host: str = "127.0.0.1"
    port: int = 4001
    client_id: int = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """Request for historical bars."""

    end: datetime | None
    """Newest bar; None: now, with updates after it."""
    days: int
    bar_size: str
    what: str
    """TRADES, MIDPOINT, AGGTRADES or ADJUSTED_LAST."""
    regular_hours: bool


class IbSession:
    """One connection, made by the first request and again after it was lost."""

    def __init__(self, address: IbAddress, clock: Clock) -> None:
        """Describe a connection; nothing is sent yet.

        Raises:
            SourceError: the package ib_async is not installed.
        """
        try:
            from ib_async import IB
        except ImportError as error:
            raise SourceError(f"ib: {error}; run: pip install 'glasstape[ib]'") from None
        self._address = address
        self._pace = Pace(REQUESTS_PER_S, clock)
        self._ib: IB = IB()
        self._ib.RaiseRequestErrors = True
        self._connecting = asyncio.Lock()
        self._details: dict[str, ContractDetails] = {}

    def close(self) -> None:
        """Close the connection."""
        if self._ib.isConnected():
            self._ib.disconnect()

    async def market_time(self) -> datetime:
        """Return the time of Interactive Brokers, to the second.

        Raises:
            SourceUnavailableError: retrying may help.
        """
        ib = await self._connected()
        return await self._answer(ib.reqCurrentTimeAsync())

    async def details(self, symbol: str) -> "ContractDetails":
        """Return the description of a symbol's only contract.

        Raises:
            UnknownSymbolError: there is none, or there are several.
            SourceUnavailableError: retrying may help.
        """
        if symbol not in self._details:
            ib = await self._connected()
            found = await self._answer(ib.reqContractDetailsAsync(contract_of(symbol)), symbol)
            if len(found) != 1:
                raise UnknownSymbolError(
                    symbol, f"{len(found)} contracts match; state SYMBOL:EXCHANGE:CURRENCY:TYPE"
                )
            self._details[symbol] = found[0]
        return self._details[symbol]

    async def bars(self, symbol: str, request: HistoryRequest) -> "BarDataList | tuple[()]":
        """Return historical bars; an empty tuple if there are none.

        Raises:
            UnknownSymbolError: there is no such symbol, or it has no bars to keep up to date.
            SourceError: market data of it are not subscribed to.
            SourceUnavailableError: retrying may help.
        """
        contract = (await self.details(symbol)).contract
        assert contract is not None  # TWS describes contracts
        await self._pace.turn()
        ib = await self._connected()
        try:
            return await self._answer(
                ib.reqHistoricalDataAsync(
                    contract,
                    endDateTime="" if request.end is None else request.end,
                    durationStr=f"{request.days} D",
                    barSizeSetting=request.bar_size,
                    whatToShow=request.what,
                    useRTH=request.regular_hours,
                    formatDate=2,
                    keepUpToDate=request.end is None,
                    timeout=0,  # the library's returns no bars instead of an error
                ),
                symbol,
            )
        except _NoBarsError:
            if request.end is None:
                raise UnknownSymbolError(symbol, f"TWS has no bars of the last {request.days} days") from None
            return ()

    @asynccontextmanager
    async def losses(self, report: Callable[[SourceError], None]) -> AsyncIterator[None]:
        """Report errors that end a stream, while the context lasts.

        Raises:
            SourceUnavailableError: TWS cannot be reached.
        """
        ib = await self._connected()

        def disconnected() -> None:
            report(SourceUnavailableError("ib: the connection to TWS is lost"))

        def failed(request: int, code: int, message: str, contract: object) -> None:
            if code in _LOST:
                report(SourceUnavailableError(f"ib: error {code}: {message[:200]}"))

        ib.disconnectedEvent += disconnected
        ib.errorEvent += failed
        try:
            yield
        finally:
            ib.disconnectedEvent -= disconnected
            ib.errorEvent -= failed

    def cancel(self, bars: "BarDataList") -> None:
        """End the updates of bars."""
        if self._ib.isConnected():
            self._ib.cancelHistoricalData(bars)

    async def _connected(self) -> "IB":
        """Return the library's connection, made if there is none.

        Raises:
            SourceUnavailableError: TWS cannot be reached, or refuses the client.
        """
        from ib_async.util import getLoop

        async with self._connecting:
            if not self._ib.isConnected():
                getLoop.cache_clear()  # the library would keep using an event loop that ended
                try:
                    await self._connect()
                except (OSError, TimeoutError) as error:
                    address = self._address
                    raise SourceUnavailableError(
                        f"ib: no connection to TWS at {address.host}:{address.port} as client {address.client_id}: "
                        f"{type(error).__name__}; check that its API is enabled and the client id is free"
                    ) from None
        return self._ib

    async def _connect(self) -> None:
        """Connect, or raise as soon as TWS closes the connection; the library would wait for its time-out.

        Raises:
            ConnectionResetError: TWS closed the connection.
            OSError: it cannot be reached.
        """
        from ib_async import StartupFetchNONE

        address = self._address
        connecting = asyncio.ensure_future(
            self._ib.connectAsync(
                address.host,
                address.port,
                clientId=address.client_id,
                timeout=CONNECT_TIMEOUT_S,
                readonly=True,
                fetchFields=StartupFetchNONE,
            )
        )
        closed = asyncio.get_running_loop().create_future()

        def refused(message: str) -> None:
            if not closed.done():
                closed.set_result(message)

        self._ib.client.apiError += refused
        try:
            await asyncio.wait((connecting, closed), return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                raise ConnectionResetError("TWS closed the connection")
            connecting.result()
        finally:
            self._ib.client.apiError -= refused
            if connecting.cancel():
                await asyncio.wait((connecting,))

    async def _answer(self, request: Awaitable[Result], symbol: str = "") -> Result:
        """Return the answer to a request.

        Raises:
            _NoBarsError: there are no bars of the requested time.
            UnknownSymbolError: there is no such symbol.
            SourceError: market data of it are not subscribed to.
            SourceUnavailableError: retrying may help.
        """
        from ib_async import RequestError

        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await request
        except RequestError as error:
            raise _translated(error.code, error.message, symbol) from None
        except TimeoutError:
            raise SourceUnavailableError(f"ib: no answer within {REQUEST_TIMEOUT_S:g} s") from None
        except ConnectionError as error:
            raise SourceUnavailableError(f"ib: the connection to TWS is lost: {str(error)[:100]}") from None


class _NoBarsError(Exception):
    """There are no bars of the requested time."""


def _translated(code: int, message: str, symbol: str) -> Exception:
    """Return the error that an error of TWS stands for."""
    reason = f"ib: {symbol + ': ' if symbol else ''}error {code}: {message[:200]}"
    if code == _UNKNOWN_CONTRACT:
        return UnknownSymbolError(symbol, f"TWS has no such contract: {message[:100]}")
    if code == _HISTORY_ERROR and _NO_DATA in message:
        return _NoBarsError()
    if "pacing violation" in message.lower() or code == 100:
        return RateLimitedError(reason, PACING_PAUSE)
    if code in _NOT_SUBSCRIBED or "permission" in message.lower():
        return CredentialsError(reason)
    return SourceUnavailableError(reason)
