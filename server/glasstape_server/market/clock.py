"""Market time: the wall clock when live, a simulated one in a replay."""

import time

from glasstape_server.domain.values import DAY, INTERVALS, SECOND, DataState


def wall_time() -> int:
    """Now, in microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Clock:
    """The market's clock. `advance` makes it a simulated one, for good."""

    def __init__(self) -> None:
        self._simulated: int | None = None
        self._since = 0.0
        self._speed = 0.0
        self.last_close: int | None = None
        """Close time of the newest bar, microseconds."""

    @property
    def replaying(self) -> bool:
        """Whether time is simulated."""
        return self._simulated is not None

    def advance(self, to: int, speed: float = 0.0) -> None:
        """Set simulated time; from there it runs at `speed` market seconds per wall second."""
        self._simulated, self._since, self._speed = to, time.monotonic(), speed

    def saw_bar(self, close_time: int) -> None:
        """Note the close of a final bar of the signalled interval."""
        self.last_close = max(self.last_close or 0, close_time)

    def now(self) -> int:
        """Market time in microseconds, UTC."""
        if self._simulated is None:
            return wall_time()
        return self._simulated + int((time.monotonic() - self._since) * self._speed * SECOND)

    def state_of(self, close_time: int, interval: str) -> DataState:
        """Freshness of a signal made now from a bar closed then."""
        if self.replaying:
            return DataState.REPLAY
        return DataState.LIVE if self.now() <= bars_later(close_time, interval, 1) else DataState.DELAYED

    def state(self, interval: str) -> DataState:
        """Freshness of the newest bar."""
        if self.replaying:
            return DataState.REPLAY
        if self.last_close is None or self.now() > bars_later(self.last_close, interval, 2):
            return DataState.STALE
        return self.state_of(self.last_close, interval)


def bars_later(close_time: int, interval: str, bars: int) -> int:
    """When the bar `bars` later closes, if the market keeps its rhythm; daily bars skip weekends."""
    if INTERVALS[interval] != DAY:
        return close_time + bars * INTERVALS[interval]
    while bars:
        close_time += DAY
        if (close_time // DAY + 3) % 7 < 5:  # 1970-01-01 was a Thursday; Monday counts 0
            bars -= 1
    return close_time
