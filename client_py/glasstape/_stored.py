"""The methods of both clients that list and correct what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasstape._lazy import LazyModule

if TYPE_CHECKING:
    from datetime import datetime

    from glasstape import _stored_calls
    from glasstape._aio_transport import AsyncTransport
    from glasstape._transport import Transport
    from glasstape.types.market import Correction, StoredSeries
else:
    _stored_calls = LazyModule("glasstape._stored_calls")


class StoredBarsMethods:
    """Methods of `Client`."""

    _transport: Transport

    def stored_series(self, symbol: str = "") -> list[StoredSeries]:
        """Return the series that have bars, ordered by symbol and interval: how many bars, and how old the newest is.

        Args:
            symbol: only its series; "": those of all symbols.
        """
        return list(self._transport.pages(_stored_calls.list_series(symbol)))

    def remove_bars(self, symbol: str, interval: str, *, start: datetime, end: datetime) -> int:
        """Remove stored bars between two close times (inclusive); return how many, once it is on the server's disk.

        Signals made before stay as they were. Removed bars are in `corrections`.
        """
        return self._transport.run(_stored_calls.remove_bars(symbol, interval, start, end))

    def rename_symbol(self, symbol: str, new_symbol: str) -> int:
        """Move all bars of a symbol, and its description, to another one; return the number of bars.

        Signals made before keep the old symbol.

        Raises:
            NotFoundError: the symbol has neither bars nor a description.
            ConflictError: the bars of both overlap; nothing was moved.
        """
        return self._transport.run(_stored_calls.rename_symbol(symbol, new_symbol))

    def corrections(self, symbol: str = "") -> list[Correction]:
        """Return the corrections of stored bars, oldest first: replaced and removed bars, renamed symbols.

        Args:
            symbol: only its corrections, renames to it included; "": those of all symbols.
        """
        return list(self._transport.pages(_stored_calls.list_corrections(symbol)))


class AsyncStoredBarsMethods:
    """Methods of `AsyncClient`."""

    _transport: AsyncTransport

    async def stored_series(self, symbol: str = "") -> list[StoredSeries]:
        """See `Client.stored_series`."""
        return [item async for item in self._transport.pages(_stored_calls.list_series(symbol))]

    async def remove_bars(self, symbol: str, interval: str, *, start: datetime, end: datetime) -> int:
        """See `Client.remove_bars`."""
        return await self._transport.run(_stored_calls.remove_bars(symbol, interval, start, end))

    async def rename_symbol(self, symbol: str, new_symbol: str) -> int:
        """See `Client.rename_symbol`."""
        return await self._transport.run(_stored_calls.rename_symbol(symbol, new_symbol))

    async def corrections(self, symbol: str = "") -> list[Correction]:
        """See `Client.corrections`."""
        return [item async for item in self._transport.pages(_stored_calls.list_corrections(symbol))]
