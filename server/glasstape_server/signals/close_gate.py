"""When a close is signaled by a model that ranks its symbols."""

import asyncio

from glasstape_server.market.ingest import Ingest

GRACE_SECONDS = 5.0
"""Longest wait for the other symbols of a close."""


class CloseGate:
    """Holds a close back until all symbols that are awaited have closed, or the grace time is over."""

    def __init__(self, ingest: Ingest, interval: str, grace_s: float) -> None:
        """Make a gate.

        Args:
            ingest: the market.
            interval: of the bars.
            grace_s: longest wait after the first bar of a close, in seconds.
        """
        self._ingest = ingest
        self._interval = interval
        self._grace_s = grace_s
        self._first_bar: dict[int, float] = {}
        """When the first bar of each waiting close came, by the event loop's time."""

    def note(self, close: int) -> None:
        """Note that a bar of a close is to be signaled."""
        if close not in self._first_bar:
            self._first_bar[close] = asyncio.get_running_loop().time()

    async def wait_s(self, close: int) -> float:
        """Return how long to wait for more bars of a close, in seconds; 0: signal it now."""
        self.note(close)
        left = self._first_bar[close] + self._grace_s - asyncio.get_running_loop().time()
        if left > 0:
            sections = self._ingest.cross_sections
            await self._ingest.calendars_loaded()
            if not await self._ingest.run_on_market_thread(sections.is_complete, self._interval, close):
                return left
        return 0.0

    def passed(self, close: int) -> None:
        """Forget a close that is signaled, and all before it."""
        self._first_bar = {each: time for each, time in self._first_bar.items() if each > close}
