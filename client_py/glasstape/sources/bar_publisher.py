"""The Glasstape server's side of `follow`: positions from stored bars, and bars published in their mode."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from glasstape._aio import AsyncClient
from glasstape._diagnosis import LASTING
from glasstape.errors import (
    AuthenticationError,
    ConflictError,
    ErrorReason,
    GlasstapeError,
    InvalidRequestError,
    PermissionDeniedError,
    UnimplementedError,
)
from glasstape.sources.close_book import Revision
from glasstape.sources.follow_stats import FollowStats
from glasstape.sources.timing import Timer
from glasstape.types.enums import BarMode
from glasstape.types.market import INTERVALS, Bar, Instrument, PublishReport, Rejection

STORED = 64
"""Stored bars of a symbol that are read to recognize corrections."""
LOOK_BACK = (STORED, 2_000, 50_000)
"""Intervals before market time in which the newest stored bar is searched, before all bars are read."""
CLOCK_RETRIES = 12
"""Attempts to publish a close that lies in the server's future, before its stored bars are read again."""

log = logging.getLogger(__name__)


class ServerLostError(Exception):
    """The server does not accept bars now; retrying may help."""


class BarPublisher:
    """Publishes bars to one server.

    Args:
        client: connection to the server.
        interval: a key of `INTERVALS`.
        stats: counts what is published.
        timer: pauses.
        replace: send corrected bars as REPLACE and late ones as BACKFILL; otherwise only report them.
    """

    def __init__(
        self, client: AsyncClient, interval: str, stats: FollowStats, timer: Timer, *, replace: bool
    ) -> None:
        self._client, self._interval, self._stats, self._timer = client, interval, stats, timer
        self._replace = replace
        self._length = INTERVALS[interval]

    async def stored(self, symbol: str, now: datetime) -> list[Bar]:
        """Return the newest stored bars of a symbol, oldest first; empty: it has none.

        Raises:
            ServerLostError: retrying may help.
            GlasstapeError: it does not help.
        """
        for intervals in LOOK_BACK:
            start = max(now - intervals * self._length, datetime(1970, 1, 1, tzinfo=now.tzinfo))
            bars = await self._listed(symbol, start)
            if bars:
                return bars[-STORED:]
        return (await self._listed(symbol, None))[-STORED:]

    async def describe(self, instruments: Sequence[Instrument], seconds: float | None = None) -> None:
        """Publish instruments.

        Args:
            instruments: without any, nothing is sent.
            seconds: timeout; None: that of the client.

        Raises:
            ServerLostError: retrying may help.
            GlasstapeError: it does not help.
        """
        if instruments:
            await self._send([], BarMode.FINAL, instruments, seconds)

    async def publish(self, bars: Sequence[Bar], *, history: bool = False) -> None:
        """Publish final bars, those of a close in one call.

        Args:
            bars: in order.
            history: store them without signals.

        Raises:
            ServerLostError: retrying may help.
            GlasstapeError: it does not help.
        """
        waiting = list(bars)
        for attempt in range(CLOCK_RETRIES):
            report = await self._send(waiting, BarMode.BACKFILL if history else BarMode.FINAL)
            kind = "backfill" if history else "final"
            self._stats.bars[kind] += report.stored
            self._stats.duplicates += report.duplicates
            rejected = {item.index: item for item in report.rejections}
            early = [index for index, item in rejected.items() if _is_early(item)]
            for index, bar in enumerate(waiting):
                if index not in rejected:
                    self._note(bar)
            for index, item in rejected.items():
                if index not in early:
                    await self._rejected(waiting[index], item)
            if not early:
                return
            waiting = [waiting[index] for index in early]
            behind = f"the server's clock is behind the market's: {rejected[early[0]].error}"
            if attempt == 0:
                log.warning("%s", behind)
            await self._timer.sleep(min(30.0, 0.5 * 2**attempt))
        raise ServerLostError(behind)

    async def publish_forming(self, bars: Sequence[Bar]) -> None:
        """Publish provisional bars; those that the server rejects are outdated.

        Raises:
            ServerLostError: retrying may help.
            GlasstapeError: it does not help.
        """
        if bars:
            report = await self._send(bars, BarMode.PROVISIONAL)
            self._stats.bars["provisional"] += report.provisional

    async def revise(self, revision: Revision, bar: Bar) -> None:
        """Report a bar that comes after its time, and correct the server's with `replace`.

        Raises:
            ServerLostError: retrying may help.
            GlasstapeError: it does not help.
        """
        self._stats.revisions[str(revision)] += 1
        text = f"{bar.symbol} {bar.close_time.isoformat()}: the market sent a {revision} bar"
        if not self._replace:
            log.warning("%s; the stored bars stay as they are (--replace corrects them)", text)
            return
        mode = BarMode.REPLACE if revision is Revision.CORRECTED else BarMode.BACKFILL
        report = await self._send([bar], mode)
        self._stats.bars["replaced"] += report.replaced + report.stored
        for item in report.rejections:
            self._reject(bar, item)
        if not report.rejections:
            log.info("%s; it was stored", text)

    async def _listed(self, symbol: str, start: datetime | None) -> list[Bar]:
        try:
            bars = await self._client.bars(symbol, self._interval, start=start)
            return [bar for bar in bars if not bar.provisional]  # the server lists the forming bar too
        except GlasstapeError as error:
            raise _lost(error) from error

    async def _send(
        self,
        bars: Sequence[Bar],
        mode: BarMode,
        instruments: Iterable[Instrument] = (),
        seconds: float | None = None,
    ) -> PublishReport:
        try:
            return await self._client.publish_bars(bars, instruments=instruments, mode=mode, timeout=seconds)
        except GlasstapeError as error:
            raise _lost(error) from error

    async def _rejected(self, bar: Bar, item: Rejection) -> None:
        """Handle a bar that the server did not store."""
        if isinstance(item.error, ConflictError):
            await self.revise(Revision.CORRECTED, bar)
        elif item.error.reason == ErrorReason.BAR_OUT_OF_ORDER:
            await self.revise(Revision.LATE, bar)
        else:
            self._reject(bar, item)

    def _reject(self, bar: Bar, item: Rejection) -> None:
        self._stats.bars["rejected"] += 1
        log.error("%s %s was rejected: %s", bar.symbol, bar.close_time.isoformat(), item.error)

    def _note(self, bar: Bar) -> None:
        known = self._stats.last_close.get(bar.symbol, bar.close_time)
        self._stats.last_close[bar.symbol] = max(known, bar.close_time)


def _is_early(item: Rejection) -> bool:
    """Return whether a bar closes after the server's time: its clock is behind, as every bar here has closed."""
    fields = {violation.field for violation in item.error.violations}
    return fields == {"close_time"} and item.error.reason not in (
        ErrorReason.BAR_OUT_OF_ORDER,
        ErrorReason.BAR_CONFLICT,
    )


def _lost(error: GlasstapeError) -> Exception:
    """Return what a failed call means: errors of request, account, address and TLS stay, all others may pass."""
    permanent = (InvalidRequestError, AuthenticationError, PermissionDeniedError, UnimplementedError)
    lasts = isinstance(error, permanent) or error.reason in LASTING
    return error if lasts else ServerLostError(str(error))


def history_cut(now: datetime, length: timedelta, signal_age: timedelta | None) -> datetime:
    """Return the close until which bars are history: stored without signals.

    Args:
        now: market time.
        length: of a bar.
        signal_age: None: one hour or four bars, whichever is longer.
    """
    return now - (signal_age if signal_age is not None else max(timedelta(hours=1), 4 * length))
