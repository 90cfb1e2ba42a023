"""`glasstape fetch`: the history of symbols to a file, in parts that a later run continues."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from glasstape.sources.close_series import final_bars
from glasstape.sources.errors import SourceUnavailableError, UnknownSymbolError
from glasstape.sources.history_parts import HistoryParts, OnProgress
from glasstape.sources.source import Source
from glasstape.sources.timing import Backoff, SystemTimer, Timer
from glasstape.types.market import Instrument

ATTEMPTS = 8
"""Attempts in a row without a bar after which fetching ends; a later run continues."""
HINT = "run the same command again to continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to fetch."""

    symbols: Sequence[str]
    interval: str
    """A key of `INTERVALS`."""
    since: datetime
    until: datetime | None = None
    """None: the market's time."""


class Fetcher:
    """Fetches from one source.

    Args:
        source: the market; the caller closes it.
        request: what to fetch.
        parts: where bars are kept.
        on_progress: see `OnProgress`.
        timer: pauses; tests replace it.
    """

    def __init__(
        self,
        source: Source,
        request: FetchRequest,
        parts: HistoryParts,
        on_progress: OnProgress,
        timer: Timer | None = None,
    ) -> None:
        self._source, self._request, self._parts = source, request, parts
        self._on_progress = on_progress
        self._timer = timer or SystemTimer()
        self.removed: list[UnknownSymbolError] = []
        """Symbols that the market removed while they were fetched."""

    async def run(self) -> Sequence[Instrument]:
        """Fetch every symbol; return their descriptions.

        Raises:
            UnknownSymbolError: the market has no such symbol; nothing was fetched.
            SourceUnavailableError: the market does not answer; parts are kept.
            SourceError: the market refuses for good.
        """
        end, instruments = await self._begin()
        for symbol in dict.fromkeys(self._request.symbols):
            try:
                await self._fetch(symbol, end)
            except UnknownSymbolError as error:
                self.removed.append(error)
        return instruments

    async def _begin(self) -> tuple[datetime, Sequence[Instrument]]:
        attempts = self._attempts()
        while True:
            try:
                now = await self._source.now()
                instruments = await self._source.instruments(list(dict.fromkeys(self._request.symbols)))
                return min(self._request.until or now, now), instruments
            except SourceUnavailableError as error:
                await attempts.failed(error)

    async def _fetch(self, symbol: str, end: datetime) -> None:
        attempts = self._attempts()
        position = self._parts.last_close(symbol) or self._request.since
        while True:
            try:
                pages = self._source.history(symbol, self._request.interval, position, end)
                async for page in pages:
                    bars = final_bars(page, position, end)
                    if bars:
                        self._parts.append(symbol, bars)
                        position = bars[-1].close_time
                        attempts.succeeded()
                    self._on_progress(symbol, len(bars), position, end)
                self._on_progress(symbol, 0, end, end)
                return
            except SourceUnavailableError as error:
                await attempts.failed(error)

    def _attempts(self) -> "_Attempts":
        return _Attempts(Backoff(self._timer))


class _Attempts:
    """Counts failures without progress between them."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    async def failed(self, error: SourceUnavailableError) -> None:
        """Wait before the next attempt.

        Raises:
            SourceUnavailableError: it was the last one.
        """
        self._failures += 1
        if self._failures >= ATTEMPTS:
            raise SourceUnavailableError(f"{error}; gave up after {ATTEMPTS} attempts, {HINT}") from error
        await self._backoff.pause(error)
