"""How the link stands: its state with the reason, the market's clock, latency, and whether this is a replay."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from glasstape import (
    AuthenticationError,
    CalibrationState,
    ConfidenceEvent,
    DataState,
    Disconnected,
    GlasstapeError,
    Goodbye,
    Heartbeat,
    Opened,
    OpenResult,
    PermissionDeniedError,
)

CONTRACT = "1"
"""Major version of the contract that this desktop speaks."""
SILENCE = 2.5
"""Seconds without a message (heartbeats come every second) after which nothing on the screen is called fresh."""
A_HOUR = 3600.0
FEWEST = 5
SAMPLES = 2000
"""Latencies that the percentiles are taken over."""


class LinkState(StrEnum):
    """Where the link stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    SILENT = "silent"
    """Connected, and nothing comes."""
    WAITING = "waiting"
    """Broken; the next try has a time."""
    ENDED = "ended"
    """Trying again cannot help."""


@dataclass(frozen=True)
class Trouble:
    """Why the link is not up: a key of the language tables and what fills it."""

    key: str
    values: dict[str, str]


class Connection:
    """Follows notices of the stream. `now` is a monotonic clock in seconds, `wall` the wall clock."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._now, self._wall = now, wall
        self.state = LinkState.CONNECTING
        self.trouble: Trouble | None = None
        self.retry_at: float | None = None
        """Monotonic seconds of the next try."""
        self.attempt = 0
        self.gaps = 0
        """Events declared lost."""
        self.resumed = 0
        """Times that the stream went on behind the last event."""
        self.resets = 0
        """Times that the server had begun a new history."""
        self.beats = 0
        """Heartbeats heard."""
        self.data_state = DataState.UNSPECIFIED
        self.calibration = CalibrationState.UNKNOWN
        """Whether the active model's confidences still mean what they say."""
        self._market: tuple[datetime, float] | None = None
        self._speed: float | None = None
        self._heard = now()
        self._offset: float | None = None
        self._clocks: float | None = None
        self._behind: deque[float] = deque(maxlen=SAMPLES)

    @property
    def replay(self) -> bool:
        """Whether the data is historical, on a simulated clock."""
        return self.data_state is DataState.REPLAY

    @property
    def replay_speed(self) -> float | None:
        """Market seconds per second of a replay; None until it is known."""
        return self._speed if self.replay else None

    @property
    def fresh(self) -> bool:
        """Whether what is on the screen is what the server knows now."""
        return self.state is LinkState.CONNECTED and self.data_state is not DataState.STALE

    def market_now(self) -> datetime:
        """Time on the market's clock; a replay stands still between two bars."""
        if self._market is None:
            return datetime.fromtimestamp(self._wall(), UTC)
        moment, heard = self._market
        return moment if self.replay else moment + timedelta(seconds=self._now() - heard)

    def retry_in(self) -> float:
        """Seconds to the next try."""
        return max(0.0, (self.retry_at or 0.0) - self._now())

    def latency(self) -> tuple[float, float] | None:
        """Median and 99th percentile of seconds from publishing to here, above the fastest message seen.

        The two clocks need not agree: the smallest difference between them counts as none.
        """
        if len(self._behind) < FEWEST or self._offset is None:
            return None
        ordered = sorted(behind - self._offset for behind in self._behind)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def late(self, received: float, published: float) -> float:
        """Seconds that an event took, by the two clocks as heartbeats have compared them."""
        return received - published - (self._clocks or 0.0)

    def heard(self) -> None:
        """Something came: the link is up."""
        self._heard = self._now()
        if self.state is LinkState.SILENT:
            self.state = LinkState.CONNECTED

    def tick(self) -> bool:
        """Look at the clock; returns whether the state changed."""
        if self.state is LinkState.CONNECTED and self._now() - self._heard > SILENCE:
            self.state = LinkState.SILENT
            return True
        return False

    def opened(self, message: Opened) -> None:
        """The stream is connected."""
        if message.contract_version.split(".")[0] != CONTRACT:
            theirs = message.contract_version or "?"
            self.end(Trouble("link.contract", {"theirs": theirs, "ours": CONTRACT}))
            return
        self.state, self.trouble, self.retry_at, self.attempt = LinkState.CONNECTED, None, None, 0
        self.resumed += message.result is OpenResult.RESUMED
        self.resets += message.result is OpenResult.RESET
        if message.result is OpenResult.RESET:
            self._market = self._speed = None
        self.heard()

    def heartbeat(self, message: Heartbeat) -> None:
        """Clocks and freshness."""
        self.heard()
        self.beats += 1
        self.data_state = message.data_state
        self.calibration = message.calibration
        self._see_clock(message.market_time)
        behind = self._wall() - message.server_time.timestamp()
        self._offset = behind if self._offset is None else min(self._offset, behind)
        self._clocks = behind if self._clocks is None else min(self._clocks, behind)

    def arrived(self, received: float, published: float) -> None:
        """A live batch came: both in wall-clock seconds, of two clocks."""
        behind = received - published
        if abs(behind) < A_HOUR:  # a recorded session was published long ago
            self._offset = behind if self._offset is None else min(self._offset, behind)
            self._behind.append(behind)

    def signal(self, event: ConfidenceEvent) -> None:
        """Take the clock of a signal. Only heartbeats tell how fresh the market is: a signal may be an old one."""
        self.heard()
        if self.data_state is DataState.UNSPECIFIED or event.signal.data_state is DataState.REPLAY:
            self.data_state = event.signal.data_state
        if self.replay:
            self._see_clock(event.bar_close_time)

    def broken(self, message: Disconnected) -> None:
        """The connection broke and will be tried again."""
        self.state, self.attempt = LinkState.WAITING, message.attempt
        self.retry_at = self._now() + message.retry_in.total_seconds()
        self.trouble = explain(message.error)

    def goodbye(self, message: Goodbye) -> None:
        """The server drains."""
        self.state = LinkState.WAITING
        self.retry_at = self._now() + message.retry_delay.total_seconds()
        self.trouble = Trouble("link.goodbye", {})

    def end(self, trouble: Trouble) -> None:
        """Trying again cannot help."""
        self.state, self.trouble, self.retry_at = LinkState.ENDED, trouble, None

    def _see_clock(self, moment: datetime) -> None:
        now = self._now()
        if self._market is not None and moment > self._market[0] and now > self._market[1]:
            speed = (moment - self._market[0]).total_seconds() / (now - self._market[1])
            self._speed = speed if self._speed is None else 0.7 * self._speed + 0.3 * speed
        # A replay's heartbeats may be of a moment before the newest bar's.
        if self._market is None or moment > self._market[0] or not self.replay:
            self._market = (moment, now)


def explain(error: GlasstapeError) -> Trouble:
    """What an error of the link means to a trader, and what to do."""
    text = error.message.lower()
    values = {"error": error.message.strip().splitlines()[0] if error.message.strip() else error.code}
    if isinstance(error, AuthenticationError):
        return Trouble("link.token", values)
    if isinstance(error, PermissionDeniedError):
        return Trouble("link.permission", values)
    if "expired" in text and "certificate" in text:
        return Trouble("link.certificate_expired", values)
    if "certificate" in text or "ssl" in text or "handshake" in text:
        return Trouble("link.certificate", values)
    if any(word in text for word in ("dns", "name resolution", "resolv", "lookup")):
        return Trouble("link.address", values)
    if "refused" in text or "failed to connect" in text:
        return Trouble("link.nobody", values)
    if error.reason == "STREAM_SILENT":
        return Trouble("link.silent", values)
    return Trouble("link.error", values)
