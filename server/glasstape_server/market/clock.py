"""Market time: the wall clock when live, a simulated one in a replay; and how fresh market data is."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from glasstape_server.domain.bars import DataState
from glasstape_server.domain.limits import MAX_TIME
from glasstape_server.domain.times import DAY, SECOND

INACTIVE = 7 * DAY
INACTIVE_BARS = 5


def wall_time() -> int:
    """Return the current time in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def inactive_after(interval: int) -> int:
    """Return how much older than another market's newest bar a market's newest one is when it no longer counts.

    The same holds for a symbol among those of its market: such a symbol is retired.

    Args:
        interval: length of the bars, in microseconds.
    """
    return max(INACTIVE, INACTIVE_BARS * interval)


@dataclass(frozen=True, slots=True)
class Due:
    """When bars are due after one that closed. Microseconds since 1970, UTC."""

    close_time: int
    next: int
    """Close of the next bar."""
    second: int
    """Close of the bar after that."""
    interval: int
    """Length of a bar, in microseconds."""

    @property
    def in_session(self) -> bool:
        """Whether trading goes on after the close."""
        return self.next - self.close_time <= self.interval


class Clock:
    """The market's clock. `advance` makes it a simulated one, permanently.

    Args:
        wall: current time in microseconds since 1970, UTC.
    """

    def __init__(self, wall: Callable[[], int] = wall_time) -> None:
        self._wall = wall
        self._simulated: int | None = None
        self._since = 0.0
        self._speed = 0.0
        self._due: dict[str, Due] = {}
        self._backfilled: dict[str, tuple[int, int]] = {}
        """Newest close of each market's last backfill, and when it came."""

    @property
    def replaying(self) -> bool:
        """Whether time is simulated."""
        return self._simulated is not None

    @property
    def last_close(self) -> int | None:
        """Close time of the newest bar of the published interval, microseconds; None: no bar."""
        return max((due.close_time for due in self._due.values()), default=None)

    def advance(self, to: int, speed: float = 0.0) -> None:
        """Set simulated time; from there it runs at `speed` market seconds per wall second."""
        self._simulated, self._since, self._speed = to, time.monotonic(), speed

    def saw_bars(self, newest: Mapping[str, Due]) -> None:
        """Note when bars are due, by market; what is older than known is ignored."""
        for market, due in newest.items():
            known = self._due.get(market)
            if known is None or due.close_time >= known.close_time:
                self._due[market] = self._extended(market, due)

    def saw_backfill(self, newest: Mapping[str, Due]) -> None:
        """Note when bars are due after a backfill, by market; what is not newer than known is ignored.

        Bars that were due before the backfill do not count: its data is STALE once as much time has passed since the
        backfill as two bars take, and DELAYED until then.
        """
        for market, due in newest.items():
            known = self._due.get(market)
            if known is None or due.close_time > known.close_time:
                self._backfilled[market] = (due.close_time, self.now())
        self.saw_bars(newest)

    def restore_backfills(self, stored: Mapping[str, tuple[int, int]]) -> None:
        """Note each market's last backfill of an earlier process, before its bars: newest close, and when it came."""
        self._backfilled = {
            market: (close, min(time, self.now())) for market, (close, time) in stored.items()
        }

    def _extended(self, market: str, due: Due) -> Due:
        """Return when bars are due; after a backfill, the second one is due later.

        The newest bar may be older than that of the backfill, which may have been removed.
        """
        close, time = self._backfilled.get(market, (0, 0))
        if due.close_time > close:
            return due
        return replace(due, second=max(due.second, time + due.second - due.close_time))

    def replace_bars(self, newest: Mapping[str, Due]) -> None:
        """Note when bars are due after stored bars were removed or renamed; earlier bars are forgotten."""
        self._due = {market: self._extended(market, due) for market, due in newest.items()}

    def now(self) -> int:
        """Return market time in microseconds, UTC; a simulated one ends at `MAX_TIME`."""
        if self._simulated is None:
            return self._wall()
        passed = (time.monotonic() - self._since) * self._speed * SECOND
        return self._simulated + int(min(passed, MAX_TIME - self._simulated))

    def state_until(self, next_close: int) -> DataState:
        """Return how fresh a bar is now: LIVE until the next one is due, then DELAYED."""
        if self.replaying:
            return DataState.REPLAY
        return DataState.LIVE if self.now() <= next_close else DataState.DELAYED

    def state(self) -> DataState:
        """Return how fresh market data is; EMPTY without a bar.

        A market is overdue, and its data STALE, once the second bar after its newest is due and has not come;
        a closed market is not overdue. Of several markets the freshest one that trades now decides. If none
        does, data is STALE if any market is overdue.
        """
        if self.replaying:
            return DataState.REPLAY
        newest = self.last_close
        if newest is None:
            return DataState.EMPTY
        active = [due for due in self._due.values() if due.close_time > newest - inactive_after(due.interval)]
        fresh = [due for due in active if self.now() <= due.second]
        deciding = [due for due in fresh if due.in_session]
        if not deciding:
            deciding = fresh if len(fresh) == len(active) else []
        return min((self.state_until(due.next) for due in deciding), default=DataState.STALE)
